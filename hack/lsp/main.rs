//! Measures `tandem lsp` on a repository of 1,000 folders with 4 objects each: how long the first look takes, how
//! long it takes from a key to what is said of it, answers to questions, and the memory of the server.

#![allow(clippy::print_stdout)] // figures are for the one who runs it

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const FOLDERS: usize = 1000;
const KEYS: usize = 60;

fn objects(name: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, labels: {{app: {name}}}}}\nspec:\n  replicas: 2\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      containers:\n      - name: web\n        image: registry.example.com/{name}:1.2.3\n        ports: [{{containerPort: 8080, name: http}}]\n        resources: {{requests: {{cpu: 100m, memory: 64Mi}}}}\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{selector: {{app: {name}}}, ports: [{{name: http, port: 80, targetPort: http}}]}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{mode: fast}}\n---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: {name}}}\nspec: {{minAvailable: 1, selector: {{matchLabels: {{app: {name}}}}}}}\n"
    )
}

struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Server {
    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("sent");
        self.input.flush().expect("sent");
    }

    fn read(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).expect("a line");
            match line.trim_end().strip_prefix("Content-Length: ") {
                Some(said) => length = said.parse().expect("a number"),
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.output.read_exact(&mut body).expect("a message");
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Reads until something is said of a file, or an answer comes.
    fn until(&mut self, wanted: impl Fn(&Value) -> bool) {
        while !wanted(&self.read()) {}
    }

    fn memory(&self) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.map_or_else(|| "not known".to_owned(), |line| line.trim().to_owned())
    }
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn told(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1000.0;
    println!("{name}: median {:.0} ms, 95 of 100 within {:.0} ms, most {:.0} ms", at(50), at(95), at(100));
}

fn measure(kind: &str, with_kustomization: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("a path");
    fs::create_dir(root.join(".git")).expect("a folder");
    for at in 0..FOLDERS {
        let path = root.join(format!("apps/app-{at}"));
        fs::create_dir_all(&path).expect("a folder");
        fs::write(path.join("objects.yaml"), objects(&format!("app-{at}"))).expect("a file");
        if with_kustomization {
            fs::write(path.join("kustomization.yaml"), "resources: [objects.yaml]\n").expect("a file");
        }
    }
    fs::write(root.join("wrong.yaml"), "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {prots: []}\n")
        .expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
    let mut child = command.arg("lsp").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let (input, output) = (child.stdin.take().expect("stdin"), BufReader::new(child.stdout.take().expect("stdout")));
    let mut server = Server { child, input, output };
    let begun = Instant::now();
    server.send(&json!({"id": 1, "method": "initialize", "params": {"capabilities": {}, "rootUri": uri(&root), "initializationOptions": {"live": false}}}));
    server.until(|message| message["id"] == 1);
    server.send(&json!({"method": "initialized", "params": {}}));
    let of = |message: &Value, file: &str| message["params"]["uri"].as_str().is_some_and(|uri| uri.ends_with(file));
    server.until(|message| of(message, "wrong.yaml"));
    println!("{kind}: the first look took {:.0} ms", begun.elapsed().as_secs_f64() * 1000.0);

    let file = root.join("apps/app-500/objects.yaml");
    let text = objects("app-500");
    server.send(&json!({"method": "textDocument/didOpen", "params": {"textDocument": {"uri": uri(&file), "version": 1, "languageId": "yaml", "text": text}}}));
    let (mut keys, mut hovers, mut completions) = (Vec::new(), Vec::new(), Vec::new());
    for key in 0..KEYS {
        // The last letter of `replicas` goes and comes.
        let (start, end, letter) = if key % 2 == 0 { (9, 10, "") } else { (9, 9, "s") };
        let range = json!({"start": {"line": 4, "character": start}, "end": {"line": 4, "character": end}});
        let pressed = Instant::now();
        server.send(&json!({"method": "textDocument/didChange", "params": {"textDocument": {"uri": uri(&file), "version": key + 2}, "contentChanges": [{"range": range, "text": letter}]}}));
        server.until(|message| of(message, "app-500/objects.yaml"));
        keys.push(pressed.elapsed());
        for (method, times) in [("hover", &mut hovers), ("completion", &mut completions)] {
            let asked = Instant::now();
            let id = 1000 + key;
            server.send(&json!({"id": id, "method": format!("textDocument/{method}"), "params": {"textDocument": {"uri": uri(&file)}, "position": {"line": 11, "character": 10}}}));
            server.until(|message| message["id"] == id);
            times.push(asked.elapsed());
        }
    }
    told(&format!("{kind}: from a key to what is said"), keys);
    told(&format!("{kind}: a hover"), hovers);
    told(&format!("{kind}: a completion"), completions);
    println!("{kind}: the most memory {}", server.memory());
    server.send(&json!({"id": 2, "method": "shutdown"}));
    server.until(|message| message["id"] == 2);
    server.send(&json!({"method": "exit"}));
    server.child.wait().expect("it ends");
}

fn main() {
    measure("plain folders", false);
    measure("kustomizations", true);
}

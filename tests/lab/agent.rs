//! The agent as a process, with the rights that it has in a cluster.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::{Lab, root, run, tandem, wait_for};

/// A running agent; killed when dropped.
pub struct Agent {
    child: Child,
    folder: TempDir,
    kubeconfig: PathBuf,
    options: Vec<String>,
}

impl Agent {
    /// Installs kinds and rights as `manifests/` has them, and starts the agent as its account.
    pub fn start(lab: &Lab) -> Self {
        Self::start_with(lab, &[])
    }

    /// [`Agent::start`] with more options of `tandem agent`.
    pub fn start_with(lab: &Lab, options: &[&str]) -> Self {
        install(lab);
        Self::beside(lab, None, options)
    }

    /// [`Agent::start_with`], with its requests sent to another address than the API server's.
    pub fn start_through(lab: &Lab, url: &str, options: &[&str]) -> Self {
        install(lab);
        Self::beside(lab, Some(url), options)
    }

    /// Starts the agent as the account that is there already, with the rights that it has.
    pub fn beside(lab: &Lab, url: Option<&str>, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let token = lab.k(&["create", "token", "tandem", "-n", "tandem-system", "--duration=8h"]);
        let kubeconfig = folder.path().join("kubeconfig");
        let admin = lab.k(&["config", "view", "--raw", "--flatten", "--minify", "-o", "json"]);
        let mut config: serde_json::Value = serde_json::from_str(&admin).expect("JSON");
        config["users"][0]["user"] = serde_json::json!({"token": token.trim()});
        if let Some(url) = url {
            config["clusters"][0]["cluster"] = serde_json::json!({"server": url});
        }
        fs::write(&kubeconfig, config.to_string()).expect("writes");
        let options = options.iter().map(|o| (*o).to_owned()).collect::<Vec<_>>();
        let child = spawn(&folder, &kubeconfig, &options);
        let agent = Self { child, folder, kubeconfig, options };
        agent.wait_ready();
        agent
    }

    /// The folder with everything that the agent keeps on disk.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everything that the agent has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Folder of its cache of repositories.
    pub fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// `host:port` of its HTTP server.
    pub fn address(&self) -> String {
        wait_for("the agent's address", || {
            let log = self.log();
            let line = log.lines().rev().find(|l| l.contains("\"listening\"")).ok_or_else(|| log.clone())?;
            let line: serde_json::Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
            line["fields"]["address"].as_str().map(str::to_owned).ok_or_else(|| line.to_string())
        })
    }

    /// Process id of the agent itself.
    pub fn pid(&self) -> u32 {
        let shell = self.child.id();
        let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).expect("children");
        children.split_whitespace().next().and_then(|pid| pid.parse().ok()).expect("the agent runs")
    }

    /// SIGKILL, without a chance to tidy up.
    pub fn kill(&mut self) {
        end(&mut self.child);
    }

    /// SIGTERM, and waits until it has given everything back and ended.
    pub fn stop(self) {
        let pid = self.pid();
        run(Command::new("kill").args(["-TERM", &pid.to_string()]));
        // Ended, it keeps its number until the shell is let go of, and has no command line any more.
        wait_for("the agent to end", || match fs::read_to_string(format!("/proc/{pid}/cmdline")) {
            Ok(line) if !line.is_empty() => Err(format!("{line}\n{}", self.log())),
            _ => Ok(()),
        });
    }

    /// Starts it again with the same cache, after [`Agent::kill`].
    pub fn restart(&mut self) {
        self.child = spawn(&self.folder, &self.kubeconfig, &self.options);
    }

    /// GET of a path of its HTTP server; the body where the status is 200.
    pub fn http(&self, path: &str) -> Result<String, String> {
        let address = self.address();
        let mut stream = TcpStream::connect(&address).map_err(|e| e.to_string())?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(|e| e.to_string())?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).map_err(|e| e.to_string())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(|e| e.to_string())?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| answer.clone())?;
        if head.split_whitespace().nth(1) == Some("200") { Ok(body.to_owned()) } else { Err(answer) }
    }

    /// Waits until it says that it is ready.
    pub fn wait_ready(&self) {
        wait_for("the agent to be ready", || self.http("/readyz").map_err(|e| format!("{e}\n{}", self.log())));
    }
}

/// Kinds, account and rights of the agent, as shipped. Its Deployment is there too, and runs on a
/// fake node, which runs nothing.
fn install(lab: &Lab) {
    for file in ["manifests/crds.yaml", "manifests/agent.yaml"] {
        run(lab.kubectl().args(["apply", "--server-side", "--force-conflicts", "-f"]).arg(root().join(file)));
    }
    let crds = ["repositories", "standards", "syncs", "inventories"].map(|kind| format!("crd/{kind}.tandemcd.io"));
    let crds: Vec<&str> = crds.iter().map(String::as_str).collect();
    lab.k(&[&["wait", "--for=condition=Established", "--timeout=60s"][..], &crds].concat());
}

fn spawn(folder: &TempDir, kubeconfig: &std::path::Path, options: &[String]) -> Child {
    let log = File::options().create(true).append(true).open(folder.path().join("log")).expect("log");
    // The shell waits for the end of its input, which comes when the test lets go of it, or when the
    // test's process ends, however that happens; then the agent is killed without a word.
    let script = "\"$@\" </dev/null & agent=$!; read -r _; kill -9 $agent; wait $agent 2>/dev/null";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(tandem().get_program());
    command.args(["agent", "--cluster", "lab", "--http-address", "127.0.0.1:0", "--log-format", "json", "--cache-dir"]);
    command.arg(folder.path().join("cache")).arg("--kubeconfig").arg(kubeconfig).args(options);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
    command.spawn().expect("the agent starts")
}

fn end(child: &mut Child) {
    drop(child.stdin.take());
    child.wait().expect("ends");
}

impl Drop for Agent {
    fn drop(&mut self) {
        end(&mut self.child);
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<_> = log.lines().rev().take(60).collect();
            eprintln!("the agent's last lines:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}

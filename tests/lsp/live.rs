//! Values in a cluster.

use serde_json::json;

use super::client::{Client, Start, at, run};
use crate::cli::Folder;
use crate::lab::{Lab, unique};

#[test]
fn a_hover_tells_the_value_in_the_cluster_and_no_secret() {
    let lab = Lab::shared();
    let namespace = unique("lsp");
    let text = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web, namespace: {namespace}}}\ndata:\n  colour: green\n  gone: here\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: db, namespace: {namespace}}}\nstringData:\n  password: canary-1\n"
    );
    lab.apply(&format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n---\n{}",
        text.replace("green", "blue")
            .replace("  gone: here\n", "")
            .replace("canary-1", "canary-2")
            .replace("stringData:\n", "stringData:\n  user: canary-3\n")
    ));
    let folder = Folder::with(&[("a/web.yaml", &text)]);
    run(async {
        let mut start = Start::of(&folder);
        start.options = json!({});
        start.env = vec![("KUBECONFIG", lab.kubeconfig())];
        let mut client = Client::start(start).await;
        let path = folder.path().join("a/web.yaml");
        client.open(&path, &text);
        let mut hover = async |word: &str| {
            let told = client.hover(&path, at(&text, word, 1)).await.expect("a hover");
            assert!(!told.contains("canary") && !told.contains("Y2FuYXJ5"), "{told}");
            told
        };
        let colour = hover("colour").await;
        assert!(colour.contains("`\"green\"`") && colour.contains("In the cluster: `\"blue\"`"), "{colour}");
        assert!(hover("gone").await.contains("In the cluster: not set"));
        for word in ["stringData", "password", "canary-1"] {
            let told = hover(word).await;
            assert!(told.contains("***"), "{told}");
        }
        client.end().await;
    });
}

#[test]
fn a_cluster_that_does_not_answer_keeps_nothing_back() {
    // Somebody who takes what is sent and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata:\n  colour: green\n";
    let folder = Folder::with(&[("a/web.yaml", text)]);
    let kubeconfig = folder.path().join("kubeconfig");
    let config = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: a, user: a}}}}, {{name: gone, context: {{cluster: b, user: a}}}}]\nclusters: [{{name: a, cluster: {{server: 'http://{address}'}}}}]\nusers: [{{name: a, user: {{}}}}]\n"
    );
    std::fs::write(&kubeconfig, config).expect("written");
    run(async {
        for (options, wanted) in [
            (json!({}), Some("did not answer within 1500 ms")),
            (json!({"context": "gone"}), Some("In the cluster: not known")),
            (json!({"live": false}), None),
        ] {
            let mut start = Start::of(&folder);
            start.options = options;
            start.env = vec![("KUBECONFIG", kubeconfig.clone())];
            let mut client = Client::start(start).await;
            let path = folder.path().join("a/web.yaml");
            client.open(&path, text);
            // The second time it is not asked again.
            for _ in 0..2 {
                let told = client.hover(&path, at(text, "colour", 1)).await.expect("a hover");
                assert!(told.contains("In `a`, ConfigMap/web: `\"green\"`"), "{told}");
                match wanted {
                    Some(wanted) => assert!(told.contains(wanted), "{told}"),
                    None => assert!(!told.contains("cluster"), "{told}"),
                }
            }
        }
    });
}

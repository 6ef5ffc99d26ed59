//! Files that SOPS encrypted: the first byte says in which form, the rest is the file. Whatever stands in it, the private
//! key is in nothing that is said, and a second look says the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tandem::render::{Limits, MemTree, Options, render};

const KEY: &str = include_str!("../../cases/sops/one.agekey");

fuzz_target!(|bytes: &[u8]| {
    let Some((form, file)) = bytes.split_first() else { return };
    let (name, kustomization) = match form % 4 {
        0 => ("secret.yaml", "resources: [secret.yaml]\n"),
        1 => ("secret.json", "resources: [secret.json]\n"),
        2 => ("secret.env", "secretGenerator: [{name: s, envs: [secret.env]}]\n"),
        _ => ("secret.bin", "secretGenerator: [{name: s, files: [secret.bin]}]\n"),
    };
    let tree = MemTree::new().file("app/kustomization.yaml", kustomization).file(&format!("app/{name}"), file);
    let mut options = Options::from(Limits { work: 200_000, total_memory: 8 << 20, nodes: 20_000, ..Limits::agent() });
    options.decryption.add(KEY).expect("a key");
    let rendered = render(&tree, "app", &options);
    let private = KEY.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).expect("a key").trim();
    for problem in &rendered.problems {
        assert!(!problem.to_string().contains(private));
    }
    assert_eq!(rendered, render(&tree, "app", &options));
});

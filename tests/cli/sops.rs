//! What SOPS encrypted, on the command line.

use super::{Folder, told};

const ONE: &str = include_str!("../cases/sops/one.agekey");
const TWO: &str = include_str!("../cases/sops/two.agekey");
const STRANGER: &str = include_str!("../cases/sops/stranger.agekey");
const SECRET: &str = include_str!("../cases/sops/secret.yaml");
const CONFIG: &str = include_str!("../cases/sops/config.yaml");

#[test]
fn encrypted_files_are_printed_as_secrets_are_and_masked_where_asked() {
    let folder =
        Folder::with(&[("shop/secret.yaml", SECRET), ("shop/config.yaml", CONFIG), ("key", ONE), ("wrong", STRANGER)]);
    insta::assert_snapshot!(folder.run(&["render", "shop", "--age-key-file", "key", "--mask-secrets"]), @r#"
    exit 0
    --- stdout
    # shop/config.yaml:1
    apiVersion: v1
    data:
      debug: "***"
      mode: plain
      token: "***"
    immutable: true
    kind: ConfigMap
    metadata:
      name: settings
    ---
    # shop/secret.yaml:1
    apiVersion: v1
    data:
      password: "***"
      port: "***"
    kind: Secret
    metadata:
      annotations:
        script: |+
          kept

      name: db
    --- stderr
    note: values of 1 Secret are masked
    "#);
    let shown = folder.run(&["render", "shop", "--age-key-file", "key"]);
    assert!(shown.contains("hunter2-canary") && shown.contains("config-canary"), "{shown}");
    insta::assert_snapshot!(folder.run(&["render", "shop"]), @r#"
    exit 3
    --- stderr
    shop/config.yaml:10: the file is encrypted with SOPS for age1q4azdjgrtlcmw3qe8q88ppn50qxrnh6mnafyzw9e9s6975wgsswqvhw5me, and no key is given (EncryptedManifest)
      hint: name the Secret with the private key in spec.decryption of the Sync; on the command line, give --age-key-file
    shop/secret.yaml:12: the file is encrypted with SOPS for age1q4azdjgrtlcmw3qe8q88ppn50qxrnh6mnafyzw9e9s6975wgsswqvhw5me, age139c6favvx3r2u5jr8ltq8urkkx0655dwvdqkcpx76ddgvvvp3cgqmaudvv, and no key is given (EncryptedManifest)
      hint: name the Secret with the private key in spec.decryption of the Sync; on the command line, give --age-key-file
    error: 2 problems
    "#);
    insta::assert_snapshot!(folder.run(&["render", "shop", "--age-key-file", "wrong"]), @r#"
    exit 3
    --- stderr
    shop/config.yaml:10: the file is encrypted for age1q4azdjgrtlcmw3qe8q88ppn50qxrnh6mnafyzw9e9s6975wgsswqvhw5me, and the one key that is given is that of age16auanl5rp8w7yj7y39u0nxvv8zucckjwq32tyl4nufvtnnc44ckqhtkf6y (NoDecryptionKey)
      hint: give one of those keys, or encrypt the file for one that is given: `sops updatekeys`
    shop/secret.yaml:12: the file is encrypted for age1q4azdjgrtlcmw3qe8q88ppn50qxrnh6mnafyzw9e9s6975wgsswqvhw5me, age139c6favvx3r2u5jr8ltq8urkkx0655dwvdqkcpx76ddgvvvp3cgqmaudvv, and the one key that is given is that of age16auanl5rp8w7yj7y39u0nxvv8zucckjwq32tyl4nufvtnnc44ckqhtkf6y (NoDecryptionKey)
      hint: give one of those keys, or encrypt the file for one that is given: `sops updatekeys`
    error: 2 problems
    "#);
    insta::assert_snapshot!(folder.run(&["render", "shop", "--age-key-file", "shop/secret.yaml"]), @r#"
    exit 2
    --- stderr
    error: --age-key-file: shop/secret.yaml: line 1: it is no private key of age, which starts with AGE-SECRET-KEY-1
    hint: age-keygen makes keys, one a line
    "#);
    insta::assert_snapshot!(folder.run(&["render", "shop", "--age-key-file", "gone"]), @r#"
    exit 2
    --- stderr
    error: --age-key-file: gone cannot be read: No such file or directory (os error 2)
    hint: name a file with private keys
    "#);
}

#[test]
fn keys_are_found_where_sops_finds_them() {
    let folder = Folder::with(&[("shop/secret.yaml", SECRET), ("one", ONE), ("two", TWO), ("wrong", STRANGER)]);
    let run = |variables: &[(&str, &str)]| {
        let mut command = folder.command(&["render", "shop"]);
        command.envs(variables.iter().copied());
        told(&command.output().expect("the program runs"))
    };
    let line = TWO.lines().find(|line| line.starts_with("AGE")).expect("a key");
    let several = format!("# comment\n{line} {line}");
    for variables in [
        vec![("SOPS_AGE_KEY_FILE", "one")],
        vec![("SOPS_AGE_KEY", TWO)],
        vec![("SOPS_AGE_KEY", several.as_str()), ("SOPS_AGE_KEY_FILE", "wrong")],
    ] {
        assert!(run(&variables).contains("hunter2-canary"), "{variables:?}");
    }
    assert!(run(&[("SOPS_AGE_KEY_FILE", "wrong")]).contains("NoDecryptionKey"));
    assert!(run(&[("SOPS_AGE_KEY", "hunter2")]).contains("exit 2"));
    folder.write(".config/sops/age/keys.txt", ONE);
    assert!(run(&[]).contains("hunter2-canary"));
    folder.write(".config/sops/age/keys.txt", "nothing of use");
    assert!(run(&[]).contains("EncryptedManifest"), "the usual places need not hold keys");
    folder.write("config/sops/age/keys.txt", ONE);
    let config = folder.path().join("config");
    assert!(run(&[("XDG_CONFIG_HOME", config.to_str().expect("a path"))]).contains("hunter2-canary"));
}

//! `CODEOWNERS` where there is no owners file, with a real forge: it asks for somebody whom it names, and gives no role.

use serde_json::{Value, json};

use super::{Pull, REPOSITORY, Stage, value};
use crate::lab::Lab;
use crate::lab::manifests::config;

const FILE: &str = "CODEOWNERS";
const TEXT: &str = "deploy/.* @Dana # whoever else approves\ndeploy/team/.* @tandem/shop\n";

fn stage(lab: &Lab) -> Stage<'_> {
    Stage::with(lab, |_| (FILE, TEXT.to_owned()))
}

/// A pull request of Ada's with these files, which somebody approved, and its merge.
fn merged(stage: &Stage<'_>, branch: &str, files: &[(&str, &str)], by: &str) -> String {
    stage.git(&["checkout", "-q", "-B", branch, &stage.accepted]);
    stage.write(files, branch);
    stage.push("ada", branch, false);
    let pull = Pull(stage.forge.propose("ada", branch, "main"));
    stage.approve(by, pull);
    stage.merge("ada", pull, "squash", "main")
}

#[test]
fn somebody_whom_code_owners_names_must_approve_and_is_no_operations() {
    let mut stage = stage(Lab::shared());
    let _agent = Lab::shared_agent();
    let change = |text: &str| value(text);

    // Whoever may write approves; and who is named.
    let others = merged(&stage, "others", &[("deploy/a.yaml", &change("others"))], "bob");
    let asked = "deploy/a.yaml needs 1 approval of those whom CODEOWNERS:1 names: @dana; there are 0";
    stage.held(&others, &[asked]);
    stage.back();
    let named = merged(&stage, "named", &[("deploy/a.yaml", &change("named"))], "dana");
    stage.applied(&named, "named");

    // Who makes themselves an owner.
    let own = [("deploy/a.yaml", change("own")), (FILE, ".* @bob\n".to_owned())];
    let own: Vec<_> = own.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let granted = merged(&stage, "granted", &own, "bob");
    stage.held(&granted, &["CODEOWNERS needs 1 approval of those whom CODEOWNERS names: @dana"]);
    stage.back();

    // What needs operations, and an owners file that would say who they are.
    let rights = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: rights}\n";
    let role = merged(&stage, "role", &[("deploy/rights.yaml", rights)], "dana");
    stage.held(&role, &["deploy/rights.yaml needs 1 approval as ops", "CODEOWNERS gives nobody a role"]);
    stage.back();
    let owners = [("deploy/a.yaml", change("owners")), (".tandem/owners.yaml", stage.owners())];
    let owners: Vec<_> = owners.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let begun = merged(&stage, "owners", &owners, "dana");
    stage.held(&begun, &[".tandem/owners.yaml needs 1 approval as ops", "CODEOWNERS gives nobody a role"]);
    stage.back();

    // A team approves nothing, whoever else does.
    let team = merged(&stage, "team", &[("deploy/team/b.yaml", &config("b", "{v: b}"))], "dana");
    stage.held(&team, &["CODEOWNERS:2 names: @tandem/shop (a team, which never counts); there are 0"]);
    stage.back();
}

#[test]
fn a_login_that_code_owners_names_is_whose_it_was_when_it_first_counted() {
    let mut stage = stage(Lab::shared());
    let _agent = Lab::shared_agent();
    let first = merged(&stage, "first", &[("deploy/a.yaml", &value("first"))], "dana");
    stage.applied(&first, "first");
    let record = stage.lab.get(&stage.tenant.namespace, "acceptance/repo");
    assert_eq!(record["spec"]["record"]["logins"], json!({"dana": stage.forge.ids["dana"]}), "{record:#}");

    // Somebody else has the login now, and may write.
    stage.forge.ok("tandem", "POST", "admin/users/dana/rename", &json!({"new_username": "dina"}));
    stage.forge.ids.remove("dana");
    stage.forge.person("dana");
    stage.forge.ok("tandem", "PUT", &format!("{REPOSITORY}/collaborators/dana"), &json!({"permission": "write"}));
    let taken = merged(&stage, "taken", &[("deploy/a.yaml", &value("taken"))], "dana");
    stage.held(&taken, &["@dana has a login that was another account's when it first counted (LoginMoved)"]);
    stage.back();

    // She is the same person, whom the file does not name any more.
    let renamed = merged(&stage, "renamed", &[("deploy/a.yaml", &value("renamed"))], "dina");
    stage.held(&renamed, &["CODEOWNERS:1 names: @dana; there are 0"]);
    stage.back();
    let shown: Value = stage.lab.get(&stage.tenant.namespace, "configmap/a");
    assert_eq!(shown["data"]["v"], "first");
}

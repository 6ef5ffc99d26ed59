//! Freezes through the agent: while one lasts nothing new is deployed, what is deployed stays healed, and when it ends the
//! rest follows by itself.

use jiff::{Timestamp, ToSpan};
use serde_json::json;

use crate::lab::manifests::config;
use crate::lab::{Lab, Repo, Tenant, condition_of};

const FILE: &str = ".tandem/freezes/release.yaml";
/// It lasts all day and night.
const ALWAYS: &str = "schedule: '* * * * *', duration: 1h";

fn freeze(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: tandemcd.io/v1alpha1\nkind: Freeze\nmetadata: {{name: {name}}}\nspec: {{reason: the great sale, {spec}}}\n"
    )
}

fn value(text: &str) -> String {
    config("a", &format!("{{v: '{text}'}}"))
}

fn deployed(tenant: &Tenant<'_>) -> String {
    let found = Lab::shared().get(&tenant.namespace, "configmap/a");
    found["data"]["v"].as_str().unwrap_or_default().to_owned()
}

fn wait_frozen(tenant: &Tenant<'_>, reason: &str, words: &[&str]) {
    let held = tenant.wait_message("sync", "Held", words);
    assert_eq!(condition_of(&held, "Held").expect("Held")["reason"], reason, "{:#}", held["status"]);
}

#[test]
fn while_a_freeze_lasts_what_is_deployed_stays_and_is_healed() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let _agent = Lab::shared_agent();
    let tenant = Tenant::new(lab);
    // A Sync that has deployed nothing yet begins also in a freeze.
    repo.write(FILE, &freeze("sale", &format!("{ALWAYS}, paths: [/deploy/]")));
    repo.write("deploy/a.yaml", &value("1"));
    repo.write("other/b.yaml", &config("b", "{v: '1'}"));
    let first = repo.push("first");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    tenant.sync("other", "other", "");
    tenant.wait_applied("other", &first);

    repo.write("deploy/a.yaml", &value("2"));
    repo.write("other/b.yaml", &config("b", "{v: '2'}"));
    let second = repo.push("second");
    let words =
        [second.as_str(), "the freeze sale", FILE, "the great sale", "lasts until", "Tandem-Freeze-Override: sale"];
    wait_frozen(&tenant, "Frozen", &words);
    // What it does not speak of goes on.
    tenant.wait_applied("other", &second);
    lab.k(&["-n", &tenant.namespace, "delete", "configmap", "a"]);
    lab.wait(&tenant.namespace, "configmap/a", |object| {
        if object["data"]["v"] == "1" { Ok(()) } else { Err(object["data"].to_string()) }
    });
    assert!(tenant.writes(&second).iter().all(|write| write.ends_with("configmaps/b")), "{:?}", tenant.writes(&second));

    // Who goes ahead names the freeze and says why; the former commit goes along, the next one does not.
    repo.write("deploy/a.yaml", &value("3"));
    let bare = repo.push("third\n\nTandem-Freeze-Override: sale");
    wait_frozen(&tenant, "Frozen", &[&bare]);
    repo.write("deploy/a.yaml", &value("4"));
    let named = repo.push("fourth\n\nTandem-Freeze-Override: sale the shop is down");
    tenant.wait_applied("sync", &named);
    assert_eq!(deployed(&tenant), "4");
    repo.write("deploy/a.yaml", &value("5"));
    let fifth = repo.push("fifth");
    wait_frozen(&tenant, "Frozen", &[&fifth]);
    // A line in an older commit says nothing of what came after it.
    repo.write("deploy/a.yaml", &value("6"));
    repo.push("sixth\n\nTandem-Freeze-Override: nothing of that name");
    repo.write("deploy/a.yaml", &value("7"));
    let seventh = repo.push("seventh");
    wait_frozen(&tenant, "Frozen", &[&seventh]);

    // What cannot be read may be a freeze.
    repo.write(FILE, &freeze("sale", "schedule: '* * * *', duration: 1h"));
    let broken = repo.push("broken");
    wait_frozen(&tenant, "FreezeInvalid", &[&broken, FILE, "five fields of cron"]);
    repo.remove(FILE);
    let thawed = repo.push("over");
    tenant.wait_applied("sync", &thawed);
    assert_eq!(deployed(&tenant), "7");
}

#[test]
fn when_a_freeze_ends_the_rest_follows_by_itself() {
    let (lab, repo) = (Lab::shared(), Repo::new());
    let _agent = Lab::shared_agent();
    let tenant = Tenant::new(lab);
    repo.write("deploy/a.yaml", &value("1"));
    let first = repo.push("first");
    tenant.deploy(&repo, "");
    tenant.wait_applied("sync", &first);
    // It began with this minute, and ends in ten seconds.
    let now = Timestamp::now();
    let began = Timestamp::from_second(now.as_second() / 60 * 60).expect("a time");
    let lasts = now.as_second() - began.as_second() + 10;
    let schedule = began.strftime("%M %H %d %m *");
    repo.write(FILE, &freeze("short", &format!("schedule: {schedule}, duration: {lasts}s")));
    repo.write("deploy/a.yaml", &value("2"));
    let second = repo.push("second");
    wait_frozen(&tenant, "Frozen", &[&second, "the freeze short"]);
    let told = tenant.wait_applied("sync", &second);
    assert!(condition_of(&told, "Held").is_none(), "{told:#}");
    let ended = now.checked_add(10.seconds()).expect("a time");
    assert!(Timestamp::now() >= Timestamp::from_second(ended.as_second()).expect("a time"), "not before its end");
    assert_eq!(deployed(&tenant), "2");
    assert_eq!(json!(1), lab.get(&tenant.namespace, "sync/sync")["metadata"]["generation"], "nobody touched it");
}

//! Attacks on the verdict, each beside what is the same and honest.

use super::*;
use crate::revision::review::{Account, Effect, Head, Maker, Means, OWNERS_FILE, Profile, Voter};

const OWNERS: &str = r#"
apiVersion: tandemcd.io/v1alpha1
kind: Owners
metadata: {name: owners}
spec:
  people:
  - name: dana
    emails: [Dana@example.com]
    accounts: [{forge: forge.example, id: 1}]
    keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMoAMQfHRfB7yy4L0xzCZqXgE5IPMzfG0khXLPW9B3NE"]
  - name: devi
    emails: [devi@example.com]
    accounts: [{forge: forge.example, id: 2}]
  - name: olga
    accounts: [{forge: forge.example, id: 3}]
  - name: omar
    accounts: [{forge: forge.example, id: 4}]
  - name: both
    accounts: [{forge: forge.example, id: 5}]
  groups:
  - {name: shop, people: [dana, devi, both]}
  ops: [olga, omar, both]
  rules:
  - paths: [/shop/]
    dev: [shop]
"#;

const DANA: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMoAMQfHRfB7yy4L0xzCZqXgE5IPMzfG0khXLPW9B3NE";
const AGENT: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";

fn owners() -> Owners {
    Owners::read(OWNERS_FILE, OWNERS.as_bytes()).expect("reads")
}

pub fn by(id: u64) -> Approval {
    Approval {
        voter: Voter::Account(Account { forge: "forge.example".into(), id }),
        head: "m".into(),
        tree: None,
        base: None,
        role: None,
        at: "2026-11-29T06:00:00Z".parse().expect("a time"),
        expires: None,
        withdrawn: false,
        plans: BTreeMap::new(),
    }
}

fn key_of_dana() -> Approval {
    let line = OWNERS.lines().find_map(|line| line.trim().strip_prefix("keys: [\"")?.strip_suffix("\"]"));
    let key = ssh_key::PublicKey::from_openssh(line.expect("dana's")).expect("a key");
    Approval { voter: Voter::Key(key.fingerprint(ssh_key::HashAlg::Sha256).to_string()), ..by(0) }
}

pub fn step(paths: &[&str]) -> Step {
    Step {
        parent: "p".into(),
        commit: "m".into(),
        tree: "t".into(),
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        makers: BTreeSet::from([Maker::Email("somebody@example.com".into())]),
        authorship: Authorship::Proven,
        ..Step::default()
    }
}

fn now() -> Timestamp {
    "2026-11-29T07:00:00Z".parse().expect("a time")
}

fn verdict(step: &Step, approvals: &[Approval], profile: Profile) -> Verdict {
    judge(step, approvals, &owners(), &profile.settings(), now())
}

/// Name, step, the approvals of the attack, the profile, why one of them does not count, and honest approvals.
type Row<'a> = (&'a str, Step, Vec<Approval>, Profile, Option<Discount>, Vec<Approval>);

#[test]
fn each_attack_is_refused_by_its_name_and_its_twin_passes() {
    let shop = || step(&["shop/a.yaml"]);
    let reviewed = Profile::Reviewed;
    let made = |maker: Maker| Step { makers: BTreeSet::from([maker]), ..shop() };
    let account = |id| Maker::Account(Account { forge: "forge.example".into(), id });
    let other_forge = Voter::Account(Account { forge: "other.example".into(), id: 1 });
    let merged = |head: &str| Step { proposal: Some(Head { commit: head.into(), fork: Some("f".into()) }), ..shop() };
    let of = |head: &str| Approval { head: head.into(), ..by(1) };
    let rows: Vec<Row<'_>> = vec![
        ("no approval", shop(), vec![], reviewed, None, vec![by(1)]),
        ("a stranger", shop(), vec![by(99)], reviewed, Some(Discount::NotListed), vec![by(99), by(2)]),
        (
            "the same number at another forge",
            shop(),
            vec![Approval { voter: other_forge, ..by(1) }],
            reviewed,
            Some(Discount::NotListed),
            vec![by(1)],
        ),
        (
            "self approval by address",
            made(Maker::Email("dana@EXAMPLE.com".into())),
            vec![by(1)],
            reviewed,
            Some(Discount::OwnWork),
            vec![by(2)],
        ),
        (
            "self approval by who opened it",
            made(account(1)),
            vec![by(1)],
            reviewed,
            Some(Discount::OwnWork),
            vec![by(2)],
        ),
        (
            "self approval by another means",
            made(account(1)),
            vec![key_of_dana()],
            reviewed,
            Some(Discount::OwnWork),
            vec![by(2)],
        ),
        (
            "withdrawn",
            shop(),
            vec![Approval { withdrawn: true, ..by(1) }],
            reviewed,
            Some(Discount::Withdrawn),
            vec![by(1)],
        ),
        (
            "expired",
            shop(),
            vec![Approval { expires: Some(now()), ..by(1) }],
            reviewed,
            Some(Discount::Expired),
            vec![Approval { expires: Some(now() + jiff::SignedDuration::from_secs(1)), ..by(1) }],
        ),
        (
            "another base",
            shop(),
            vec![Approval { base: Some("q".into()), ..by(1) }],
            reviewed,
            Some(Discount::OtherBase),
            vec![Approval { base: Some("p".into()), ..by(1) }],
        ),
        (
            "another tree",
            shop(),
            vec![Approval { tree: Some("u".into()), ..by(1) }],
            reviewed,
            Some(Discount::OtherTree),
            vec![Approval { tree: Some("t".into()), ..by(1) }],
        ),
        (
            "a reused tree on another base",
            shop(),
            vec![Approval { tree: Some("t".into()), base: Some("q".into()), ..of("h") }],
            reviewed,
            None,
            vec![Approval { tree: Some("t".into()), base: Some("p".into()), ..of("h") }],
        ),
        (
            "another tree on the same base",
            shop(),
            vec![Approval { tree: Some("u".into()), base: Some("p".into()), ..of("h") }],
            reviewed,
            None,
            vec![Approval { tree: Some("t".into()), base: Some("p".into()), ..of("h") }],
        ),
        (
            "a squash that adds a trailer",
            Step { carries_trailers: true, ..shop() },
            vec![Approval { tree: Some("t".into()), base: Some("p".into()), ..of("h") }],
            reviewed,
            Some(Discount::OtherMessage),
            vec![by(1)],
        ),
        (
            "a merge that adds a trailer",
            Step { carries_trailers: true, ..merged("h") },
            vec![of("h")],
            reviewed,
            Some(Discount::OtherMessage),
            vec![of("m")],
        ),
        (
            "the head against one of its own commits, which shows a part of it",
            merged("h"),
            vec![Approval { base: Some("g".into()), ..of("h") }],
            reviewed,
            Some(Discount::OtherBase),
            vec![Approval { base: Some("f".into()), ..of("h") }],
        ),
        (
            "the head of what did not leave the mainline at one commit",
            Step { proposal: Some(Head { commit: "h".into(), fork: None }), ..shop() },
            vec![Approval { base: Some("f".into()), ..of("h") }],
            reviewed,
            Some(Discount::OtherBase),
            vec![of("h")],
        ),
        ("another head", merged("h"), vec![of("g")], reviewed, None, vec![of("h")]),
        ("one person twice", step(&["a.yaml"]), vec![by(5)], Profile::Strict, None, vec![by(3), by(4)]),
        (
            "one person by key and account",
            Step { authorship: Authorship::Claimed, ..shop() },
            vec![by(1), key_of_dana()],
            reviewed,
            Some(Discount::SamePerson),
            vec![by(1), by(2)],
        ),
        ("one person as dev and as ops", shop(), vec![by(5)], Profile::Strict, None, vec![by(5), by(1)]),
        ("two of dev where ops is needed", shop(), vec![by(1), by(2)], Profile::Strict, None, vec![by(1), by(3)]),
        ("two of ops where dev is needed", shop(), vec![by(3), by(4)], Profile::Strict, None, vec![by(3), by(1)]),
        (
            "as ops alone where dev is needed",
            shop(),
            vec![Approval { role: Some(Role::Ops), ..by(5) }, by(3)],
            Profile::Strict,
            None,
            vec![Approval { role: Some(Role::Dev), ..by(5) }, by(3)],
        ),
        (
            "a role that is not theirs",
            shop(),
            vec![Approval { role: Some(Role::Ops), ..by(1) }],
            reviewed,
            Some(Discount::OtherRole),
            vec![Approval { role: Some(Role::Dev), ..by(1) }],
        ),
        ("a path of no rule", step(&["other/a.yaml"]), vec![by(1)], reviewed, Some(Discount::OtherRole), vec![by(3)]),
        (
            "one path of no rule among others",
            step(&["shop/a.yaml", "other/a.yaml"]),
            vec![by(1)],
            reviewed,
            None,
            vec![by(3)],
        ),
        (
            "something sensitive in one's own folder",
            Step { sensitive: BTreeMap::from([("shop/a.yaml".into(), "it speaks of a Role".into())]), ..shop() },
            vec![by(1)],
            reviewed,
            None,
            vec![by(3)],
        ),
        (
            "nobody knows who made it",
            Step { authorship: Authorship::Claimed, ..shop() },
            vec![by(1)],
            reviewed,
            None,
            vec![by(1), by(3)],
        ),
    ];
    for (name, step, attack, profile, discount, twin) in rows {
        let told = verdict(&step, &attack, profile);
        assert!(!told.is_approved(), "{name}: {told:?}");
        let why: Vec<_> = told.discounted.iter().map(|discounted| discounted.why).collect();
        assert_eq!(why, Vec::from_iter(discount), "{name}: {}", told.told());
        let told = verdict(&step, &twin, profile);
        assert!(told.is_approved(), "the twin of {name}: {}", told.told());
    }
}

#[test]
fn what_is_missing_is_told_with_who_can_give_it() {
    let told = verdict(&step(&["shop/a.yaml"]), &[by(1)], Profile::Strict).told();
    assert_eq!(
        told,
        "shop/a.yaml needs 2 approvals (1 as dev, 1 as ops); it has 1 of 2, which can come from dev: dana, devi, both; ops: olga, omar, both"
    );
    let claimed = Step { authorship: Authorship::Claimed, ..step(&["a", "b", "c", "d"]) };
    assert_eq!(
        verdict(&claimed, &[by(1)], Profile::Reviewed).told(),
        "a, b, c and 1 more need 1 approval (1 as ops), and one more because who made it is not proven; they have 0 of 2, which can come from ops: olga, omar, both; not counted: dana approved in a role that they do not have for these paths (OtherRole)"
    );
    let empty = verdict(&step(&[]), &[by(1)], Profile::Reviewed).told();
    assert!(empty.starts_with("a commit without changes needs 1 approval (1 as ops); it has 0 of 1"), "{empty}");
    assert!(verdict(&step(&[]), &[by(3)], Profile::Reviewed).is_approved());
}

#[test]
fn an_owners_file_is_refused_where_one_person_could_be_two_or_nobody_could_approve() {
    for (from, to, expected) in [
        ("id: 2}", "id: 1}", "stands at dana and again at devi"),
        ("[devi@example.com]", "[DANA@example.com]", "stands at dana and again at devi"),
        ("people: [dana, devi, both]", "people: [dana, nemo]", "nemo, who is no person"),
        ("dev: [shop]", "dev: [shops]", "shops, who is no person and no group"),
        ("name: shop,", "name: dana,", "dana is a name twice"),
        ("ops: [olga, omar, both]", "ops: []", "spec.ops names nobody"),
        ("paths: [/shop/]", "paths: ['!/shop/']", "is none"),
        ("paths: [/shop/]", "paths: []", "a rule has no paths"),
        ("paths: [/shop/]", "path: [/shop/]", "unknown field `path`"),
        ("kind: Owners", "kind: Owner", "kind: Owner is not Owners"),
        ("tandemcd.io/v1alpha1", "tandemcd.io/v1", "apiVersion: tandemcd.io/v1 is not tandemcd.io/v1alpha1"),
        ("  rules:\n", "  breakGlass: {people: [omar]}\n  rules:\n", "names omar, who has no key"),
        ("  rules:\n", "  breakGlass: {people: [nemo]}\n  rules:\n", "names nemo, who is no person"),
        ("  rules:\n", "  breakGlass: {people: [dana], lasts: 169h}\n  rules:\n", "no time of up to 168h"),
        ("keys: [\"ssh-ed25519 ", "keys: [\"ssh-ed25519 x", "a key of dana cannot be read"),
        ("    accounts: [{forge: forge.example, id: 4}]\n", "", "omar has neither accounts nor keys"),
        (
            "  rules:\n",
            "  clusters: [{name: prod, key: none}]\n  rules:\n",
            "the key of the cluster prod cannot be read",
        ),
        ("  rules:\n", &format!("  clusters: [{{name: prod, key: {DANA}}}]\n  rules:\n"), "is that of dana as well"),
        ("  rules:\n", &format!("  clusters: [{{name: 'a b', key: {AGENT}}}]\n  rules:\n"), "is no name of a cluster"),
        (
            "  rules:\n",
            &format!("  clusters: [{{name: prod, key: {AGENT}}}, {{name: prod, key: {AGENT}}}]\n  rules:\n"),
            "the cluster prod is listed twice",
        ),
    ] {
        let text = OWNERS.replacen(from, to, 1);
        assert_ne!(text, OWNERS, "{from}");
        let problems = Owners::read(OWNERS_FILE, text.as_bytes()).expect_err(to);
        assert!(problems.iter().any(|problem| problem.message.contains(expected)), "{to}: {problems:?}");
    }
    let listed = OWNERS.replacen("  rules:\n", &format!("  clusters: [{{name: prod, key: {AGENT}}}]\n  rules:\n"), 1);
    let listed = Owners::read(OWNERS_FILE, listed.as_bytes()).expect("reads");
    assert!(listed.agent("prod").is_some_and(|agent| agent.is_ok()) && listed.agent("test").is_none());
    let agent = ssh_key::PublicKey::from_openssh(AGENT).expect("a key").fingerprint(ssh_key::HashAlg::Sha256);
    assert!(!listed.knows(&Voter::Key(agent.to_string())), "an agent approves nothing");
    let settings = Profile::Strict.settings();
    assert_eq!(owners().can_approve(&settings, Means::Any), Ok(()));
    let alone =
        OWNERS.replacen("ops: [olga, omar, both]", "ops: [both]", 1).replacen("[dana, devi, both]", "[both]", 1);
    let alone = Owners::read(OWNERS_FILE, alone.as_bytes()).expect("reads");
    let told = alone.can_approve(&settings, Means::Any).expect_err("one person cannot be two");
    assert!(told.starts_with("/shop/ would need 2 approvals (1 as dev, 1 as ops)"), "{told}");
    assert_eq!(alone.can_approve(&Profile::Reviewed.settings(), Means::Any), Ok(()));
    // The file may ask for more than a Repository does, and never for less.
    let more = OWNERS.replacen("  rules:\n", "  atLeast: Strict\n  rules:\n", 1);
    let more = Owners::read(OWNERS_FILE, more.as_bytes()).expect("reads");
    let (reviewed, strict) = (Profile::Reviewed.settings(), Profile::Strict.settings());
    assert_eq!((more.settings(&reviewed), owners().settings(&reviewed)), (strict, reviewed));
    assert_eq!(more.settings(&Profile::Observe.settings()), Settings { effect: Effect::Record, ..strict });
    let less = OWNERS.replacen("  rules:\n", "  atLeast: Observe\n  rules:\n", 1);
    assert_eq!(Owners::read(OWNERS_FILE, less.as_bytes()).expect("reads").settings(&strict), strict);
    // Who is listed with nothing by which an approval could come approves nothing.
    assert_eq!(owners().can_approve(&settings, Means::Forge("forge.example")), Ok(()));
    for means in [Means::Notes, Means::Forge("other.example")] {
        let told = owners().can_approve(&settings, means).expect_err("dana alone has a key");
        assert!(told.contains("there are 1 who may approve as dev, 0 as ops, and 1 people with a key"), "{told}");
    }
}

#[test]
fn lines_that_steer_are_found_however_they_are_written() {
    for (message, expected) in [
        ("Drop it\n\nTandem-Delete: ns/shop 12", true),
        ("Drop it\n\n* tandem-delete : ns/shop 12", true),
        ("Drop it\n\n  Break-Glass: it burns", true),
        ("Deploy with tandem: at last", false),
        ("Drop it\n\nCo-authored-by: A <a@b>", false),
    ] {
        assert_eq!(crate::revision::review::carries_trailers(message), expected, "{message}");
    }
}

use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey};

use super::*;
use crate::object::ObjectId;
use crate::plan::{Action, Detail, EssenceLine};
use crate::revision::signature::KeyFile;

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

fn trust(seed: u8) -> Trust {
    let line = format!("prod {}\n", key(seed).public_key().to_openssh().expect("a line"));
    Trust::read(&[KeyFile { name: "allowed_signers".into(), text: line }]).expect("a key")
}

fn now() -> Timestamp {
    "2026-11-30T09:00:00Z".parse().expect("a time")
}

fn example() -> SignedPlan {
    let line = EssenceLine {
        id: ObjectId::new("shop", "web", "", "ConfigMap"),
        action: Action::Deleted,
        sent: None,
        shown: "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b".into(),
        detail: None,
    };
    let plans: BTreeMap<String, Essence> =
        [("shop/web".to_owned(), Essence { lines: vec![line], inputs: None })].into();
    let foretold = Foretold {
        repository: "example.com/shop/app".into(),
        reference: "refs/heads/main".into(),
        commit: "b".repeat(40),
        cluster: "prod".into(),
        at: now(),
        syncs: plans.iter().map(|(sync, essence)| (sync.clone(), essence.digest())).collect(),
    };
    signed(&foretold, plans, NAMESPACE)
}

fn signed(foretold: &Foretold, plans: BTreeMap<String, Essence>, namespace: &str) -> SignedPlan {
    let statement = foretold.text();
    let signature = key(1).sign(namespace, HashAlg::Sha512, statement.as_bytes()).expect("signs");
    SignedPlan { statement, signature: signature.to_pem(LineEnding::LF).expect("text"), plans }
}

#[test]
fn a_plan_is_found_in_what_stands_around_it() {
    let plan = example();
    let block = plan.block(usize::MAX).expect("a block");
    for text in [
        block.clone(),
        format!("### Plan\n<details>\n```\n{block}```\n</details>"),
        block.replace('\n', "\r\n"),
        block.lines().map(|line| format!("> {line}\n")).collect(),
        block.lines().map(|line| format!("    {line}  \n")).collect(),
    ] {
        assert_eq!(SignedPlan::find(&text).as_ref(), Ok(&plan), "{text}");
    }
    for text in
        ["", "no plan", &block[..block.len() / 2], &block.replace("ey", "e"), &block.replacen('\n', "\nAAAA", 1)]
    {
        assert!(SignedPlan::find(text).is_err(), "{text}");
    }
    assert!(SignedPlan::find(&"x".repeat(LARGEST + 1)).is_err());
    assert_eq!(plan.block(10), None);
    assert_eq!(SignedPlan::all(&format!("one {block} and {block} more")), Ok(vec![plan.clone(), plan.clone()]));
    assert!(SignedPlan::all(&format!("{block}{}", &block[..block.len() / 2])).is_err(), "half of one is none");
}

#[test]
fn a_plan_counts_as_its_agent_signed_it() {
    let plan = example();
    let foretold = plan.verified(&trust(1), now()).expect("it is signed");
    assert_eq!((foretold.cluster.as_str(), foretold.syncs.len()), ("prod", 1));
    assert_eq!(Foretold::parse(&foretold.text()), Some(foretold.clone()));
    let with = |change: fn(&mut SignedPlan)| {
        let mut plan = plan.clone();
        change(&mut plan);
        plan
    };
    let shows = |detail: Detail| {
        let mut plan = plan.clone();
        plan.plans.values_mut().for_each(|essence| essence.lines[0].detail = Some(detail.clone()));
        plan
    };
    for (attack, plan, agent, told) in [
        ("another agent's key", plan.clone(), trust(2), "SignerUnknown"),
        (
            "another commit",
            with(|plan| plan.statement = plan.statement.replace("bbbb", "cccc")),
            trust(1),
            "SignatureInvalid",
        ),
        (
            "another cluster",
            with(|plan| plan.statement = plan.statement.replace("prod", "test")),
            trust(1),
            "SignatureInvalid",
        ),
        (
            "another word of the agent",
            signed(&foretold, plan.plans.clone(), "acceptance@tandemcd.io"),
            trust(1),
            "NamespaceMismatch",
        ),
        ("a Sync less", with(|plan| plan.plans.clear()), trust(1), "not what the agent signed"),
        (
            "an object less",
            with(|plan| plan.plans.values_mut().for_each(|essence| essence.lines.clear())),
            trust(1),
            "not what the agent signed",
        ),
        (
            "another action",
            with(|plan| plan.plans.values_mut().for_each(|essence| essence.lines[0].action = Action::Configured)),
            trust(1),
            "not what the agent signed",
        ),
        ("something else is shown", shows(Detail::Fields(Vec::new())), trust(1), "not what the agent signed"),
    ] {
        let why = plan.verified(&agent, now()).expect_err(attack);
        assert!(why.contains(told), "{attack}: {why}");
    }
}

#[test]
fn a_statement_has_one_form() {
    let text = example().statement;
    for (from, to) in [
        ("plan v1", "plan v2"),
        ("ref ", "Ref "),
        ("cluster prod\n", ""),
        ("09:00:00Z", "09:00:00+00:00"),
        ("\nsync", "\n\nsync"),
        ("sync shop/web", "sync  shop/web"),
    ] {
        let other = text.replacen(from, to, 1);
        assert_ne!(other, text);
        assert_eq!(Foretold::parse(&other), None, "{other}");
    }
}

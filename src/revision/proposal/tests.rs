//! Attacks by way of a forge, each beside what is the same and honest: a proposal, what Git shows of its merge, and the
//! verdict on the step.

use std::collections::BTreeSet;

use super::*;
use crate::revision::review::{Account, Authorship, Maker, OWNERS_FILE, Owners, Profile, Step, Verdict, Voter, judge};

const OWNERS: &str = "
apiVersion: tandemcd.io/v1alpha1
kind: Owners
metadata: {name: owners}
spec:
  people:
  - {name: dana, emails: [dana@example.com], accounts: [{forge: forge.example, id: 1}]}
  - {name: devi, accounts: [{forge: forge.example, id: 2}]}
  - {name: olga, accounts: [{forge: forge.example, id: 3}]}
  - {name: robot, accounts: [{forge: forge.example, id: 50}]}
  groups:
  - {name: shop, people: [dana, devi, robot]}
  ops: [olga]
  rules:
  - {paths: [/shop/], dev: [shop]}
";

/// Everything that is known of one step.
#[derive(Clone)]
struct Case {
    proposal: Proposal,
    facts: Facts,
    step: Step,
    place: Place,
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + minute * 60).expect("a time")
}

fn review(by: u64, minute: i64) -> Review {
    Review {
        by: Some(by),
        login: Some(format!("login-{by}")),
        bot: false,
        says: Says::Approved,
        head: Some("h".into()),
        at: Some(at(minute)),
        may_write: true,
    }
}

/// Pull request 7 of somebody who is no owner, reviewed by Dana and merged.
fn honest() -> Case {
    Case {
        proposal: Proposal {
            number: 7,
            repository: Some(70),
            target: "refs/heads/main".into(),
            merged_at: Some(at(20)),
            merge_commit: Some("m".into()),
            squash_commit: None,
            by_hand: false,
            head: Some("h".into()),
            head_reference: "refs/pull/7/head".into(),
            base: None,
            opener: Some(9),
            authors: BTreeSet::new(),
            pushers: Some(BTreeSet::from([9])),
            retargeted: None,
            versions: Vec::new(),
            reviews: vec![review(1, 10)],
        },
        facts: Facts {
            parent: "p".into(),
            steps: vec![("m".into(), vec!["p".into(), "h".into()])],
            tree: "t".into(),
            merged: Merged::Tree("t".into()),
            brings: 1,
            shown_before: false,
            fork: Some("p".into()),
            since_base: false,
        },
        step: Step {
            parent: "p".into(),
            commit: "m".into(),
            tree: "t".into(),
            paths: BTreeSet::from(["shop/a.yaml".into()]),
            makers: BTreeSet::from([Maker::Email("somebody@example.com".into())]),
            ..Step::default()
        },
        place: Place { forge: "forge.example".into(), repository: 70, reference: "refs/heads/main".into() },
    }
}

fn case(change: impl FnOnce(&mut Case)) -> Case {
    let mut case = honest();
    change(&mut case);
    case
}

/// One commit on top of the parent, with the files of the merge.
fn squashed(case: &mut Case) {
    case.facts.steps = vec![("m".into(), vec!["p".into()])];
}

/// Two commits on top of the parent.
fn rebased(case: &mut Case) {
    case.facts.steps = vec![("l".into(), vec!["p".into()]), ("m".into(), vec!["l".into()])];
    case.facts.brings = 2;
}

/// The proposal's own commits went to the mainline.
fn forwarded(case: &mut Case) {
    case.proposal.merge_commit = None;
    case.proposal.base = Some("p".into());
    case.facts.steps = vec![("h".into(), vec!["p".into()])];
    case.facts.since_base = true;
    (case.step.commit, case.step.tree) = ("h".into(), "t".into());
}

/// Reviews that do not name what they are of, and two heads.
fn versions(case: &mut Case) {
    case.proposal.versions = vec![Version { head: "g".into(), at: at(5) }, Version { head: "h".into(), at: at(8) }];
    case.proposal.reviews[0].head = None;
}

/// The verdict, and the name of all that does not count.
fn verdict(case: &Case) -> (Verdict, Vec<&'static str>) {
    let owners = Owners::read(OWNERS_FILE, OWNERS.as_bytes()).expect("reads");
    let settings = Profile::Reviewed.settings();
    let (step, approvals, mut names) = match bind(&case.proposal, &case.place, &case.facts) {
        Ok(bound) => {
            let listed = |account: &Account| owners.knows(&Voter::Account(account.clone()));
            let counted = count(&case.proposal, &bound, &case.place, &listed);
            let names = counted.refused.iter().map(|refused| refused.flaw.as_str()).collect();
            (joined(case.step.clone(), &bound, &counted), counted.approvals, names)
        }
        Err(refused) => (case.step.clone(), Vec::new(), vec![refused.flaw.as_str()]),
    };
    let verdict = judge(&step, &approvals, &owners, &settings, at(60));
    names.extend(verdict.discounted.iter().map(|discounted| discounted.why.as_str()));
    (verdict, names)
}

/// Name, the attack, what it is called, and the honest twin.
type Row = (&'static str, Case, &'static [&'static str], Case);

fn of_merges() -> Vec<Row> {
    let merged = |steps: Vec<(&str, Vec<&str>)>| {
        let owned = |(id, parents): (&str, Vec<&str>)| {
            (id.to_owned(), parents.into_iter().map(str::to_owned).collect::<Vec<_>>())
        };
        let steps: Vec<_> = steps.into_iter().map(owned).collect();
        case(move |case| case.facts.steps = steps)
    };
    vec![
        ("a pull request to a fork", case(|case| case.proposal.repository = Some(71)), &["OtherRepository"], honest()),
        (
            "a repository that the forge does not name",
            case(|case| case.proposal.repository = None),
            &["OtherRepository"],
            honest(),
        ),
        (
            "a pull request to another branch",
            case(|case| case.proposal.target = "refs/heads/side".into()),
            &["OtherReference"],
            honest(),
        ),
        ("a pull request that is open", case(|case| case.proposal.merged_at = None), &["NotMerged"], honest()),
        ("one pull request for two steps", merged(vec![("n", vec!["p", "h"])]), &["OtherMerge"], honest()),
        (
            "a step before that of the pull request",
            case(|case| {
                case.facts.steps = vec![("l".into(), vec!["p".into()]), ("m".into(), vec!["l".into(), "h".into()])];
                case.facts.brings = 2;
            }),
            &["OtherMerge"],
            case(rebased),
        ),
        (
            "more steps than it has commits",
            case(|case| {
                rebased(case);
                case.facts.brings = 1;
            }),
            &["OtherMerge"],
            case(rebased),
        ),
        (
            "a pushed commit that the head was built upon, so that nobody was shown it",
            case(|case| {
                rebased(case);
                case.facts.shown_before = true;
            }),
            &["OtherMerge"],
            case(|case| {
                squashed(case);
                case.facts.shown_before = true;
            }),
        ),
        ("marked as merged by hand", case(|case| case.proposal.by_hand = true), &["MarkedByHand"], honest()),
        ("a head that the forge does not tell", case(|case| case.proposal.head = None), &["HeadUnknown"], honest()),
        (
            "a head that the remote does not have",
            case(|case| case.facts.merged = Merged::Absent),
            &["HeadUnavailable"],
            honest(),
        ),
        ("an octopus", merged(vec![("m", vec!["p", "h", "x"])]), &["Octopus"], honest()),
        ("swapped parents", merged(vec![("m", vec!["h", "p"])]), &["SwappedParents"], honest()),
        (
            "a merge of something else with the same files",
            merged(vec![("m", vec!["p", "x"])]),
            &["OtherParent"],
            case(|case| {
                case.facts.steps = vec![("m".into(), vec!["p".into(), "x".into()])];
                case.proposal.squash_commit = Some("x".into());
            }),
        ),
        ("a merge into something else", merged(vec![("m", vec!["q", "h"])]), &["OtherParent"], honest()),
        ("a squash of something else", merged(vec![("m", vec!["q"])]), &["OtherParent"], case(squashed)),
        ("a beginning", merged(vec![("m", vec![])]), &["OtherParent"], case(squashed)),
        ("an evil merge", case(|case| case.facts.merged = Merged::Tree("honest".into())), &["UnequalTree"], honest()),
        (
            "an evil squash",
            case(|case| {
                squashed(case);
                case.facts.tree = "evil".into();
            }),
            &["UnequalTree"],
            case(squashed),
        ),
        (
            "an evil rebase",
            case(|case| {
                rebased(case);
                case.facts.tree = "evil".into();
            }),
            &["UnequalTree"],
            case(rebased),
        ),
        ("a merge with conflicts", case(|case| case.facts.merged = Merged::Conflicts), &["Conflicted"], honest()),
        (
            "history that ends too early",
            case(|case| case.facts.merged = Merged::Unknown("history ends".into())),
            &["HistoryUnknown"],
            honest(),
        ),
        (
            "commits that were pushed before, as part of what was merged as it is",
            case(|case| {
                forwarded(case);
                case.facts.since_base = false;
            }),
            &["BaseUnknown"],
            case(forwarded),
        ),
    ]
}

fn of_reviews() -> Vec<Row> {
    let reviewed = |change: fn(&mut Review)| case(|case| change(&mut case.proposal.reviews[0]));
    let then = |review: Review| case(|case| case.proposal.reviews.push(review));
    vec![
        ("push after approval", reviewed(|review| review.head = Some("g".into())), &["OtherHead"], honest()),
        (
            "squash after push",
            case(|case| {
                squashed(case);
                case.proposal.reviews[0].head = Some("g".into());
            }),
            &["OtherHead"],
            case(squashed),
        ),
        (
            "retargeted after approval",
            case(|case| case.proposal.retargeted = Some(at(11))),
            &["Retargeted"],
            case(|case| case.proposal.retargeted = Some(at(9))),
        ),
        (
            "retargeted at the same time",
            case(|case| case.proposal.retargeted = Some(at(10))),
            &["Retargeted"],
            case(|case| case.proposal.retargeted = Some(at(9))),
        ),
        (
            "approved after the merge",
            reviewed(|review| review.at = Some(at(21))),
            &["AfterMerge"],
            reviewed(|review| review.at = Some(at(20))),
        ),
        ("an approval that was dismissed", reviewed(|review| review.says = Says::Dismissed), &["Dismissed"], honest()),
        (
            "an approval that was taken back later",
            then(Review { says: Says::Objected, head: Some("x".into()), ..review(1, 12) }),
            &["Objected"],
            case(|case| {
                case.proposal.reviews.insert(0, Review { says: Says::Objected, ..review(1, 5) });
            }),
        ),
        ("a reader's approval", reviewed(|review| review.may_write = false), &["NoWriteAccess"], honest()),
        (
            "a program that is not listed",
            reviewed(|review| (review.by, review.bot) = (Some(51), true)),
            &["BotNotListed"],
            reviewed(|review| (review.by, review.bot) = (Some(50), true)),
        ),
        ("a stranger", reviewed(|review| review.by = Some(99)), &["NotListed"], honest()),
        (
            "a login that was renamed to another's: the number counts",
            reviewed(|review| review.by = Some(98)),
            &["NotListed"],
            honest(),
        ),
        ("an account that is gone", reviewed(|review| review.by = None), &["AccountGone"], honest()),
        ("a review without a time", reviewed(|review| review.at = None), &["HeadUnknown"], honest()),
        ("who opened it", case(|case| case.proposal.opener = Some(1)), &["OwnWork"], honest()),
        ("who pushed to it", case(|case| case.proposal.pushers = Some(BTreeSet::from([9, 1]))), &["OwnWork"], honest()),
        (
            "whom the forge knows as an author",
            case(|case| case.proposal.authors = BTreeSet::from([1])),
            &["OwnWork"],
            honest(),
        ),
        (
            "an author by their address",
            case(|case| case.step.makers = BTreeSet::from([Maker::Email("dana@example.com".into())])),
            &["OwnWork"],
            honest(),
        ),
        (
            "a pusher who is not known",
            case(|case| case.proposal.pushers = None),
            &["PusherUnknown"],
            case(|case| {
                case.proposal.pushers = None;
                case.proposal.reviews.push(review(2, 11));
            }),
        ),
        (
            "an opener who is not known",
            case(|case| case.proposal.opener = None),
            &["PusherUnknown"],
            case(|case| {
                // Listed people signed all of it.
                case.proposal.opener = None;
                case.step.authorship = Authorship::Proven;
            }),
        ),
        (
            "one person twice, where two are needed",
            case(|case| {
                case.proposal.pushers = None;
                case.proposal.reviews.push(review(1, 11));
            }),
            &["PusherUnknown"],
            case(|case| {
                case.proposal.pushers = None;
                case.proposal.reviews.push(review(2, 11));
            }),
        ),
        (
            "a version before the one that was merged",
            case(|case| {
                versions(case);
                case.proposal.reviews[0].at = Some(at(7));
            }),
            &["OtherHead"],
            case(versions),
        ),
        (
            "a page of the version before",
            case(|case| {
                versions(case);
                case.proposal.reviews[0].at = Some(at(8) + jiff::SignedDuration::from_secs(9));
            }),
            &["HeadUnknown"],
            case(|case| {
                versions(case);
                case.proposal.reviews[0].at = Some(at(8) + jiff::SignedDuration::from_secs(10));
            }),
        ),
        (
            "a time before all versions",
            case(|case| {
                versions(case);
                case.proposal.reviews[0].at = Some(at(4));
            }),
            &["HeadUnknown"],
            case(versions),
        ),
        (
            "a squash that says what steers",
            case(|case| {
                squashed(case);
                case.step.carries_trailers = true;
            }),
            &["OtherMessage"],
            case(|case| {
                // What was merged as it is, is what was approved, with all that it says.
                forwarded(case);
                case.step.carries_trailers = true;
            }),
        ),
    ]
}

#[test]
fn each_attack_is_refused_by_its_name_and_its_twin_passes() {
    for (name, attack, expected, twin) in of_merges().into_iter().chain(of_reviews()) {
        let (told, names) = verdict(&attack);
        assert!(!told.is_approved(), "{name}: {told:?}");
        assert_eq!(names, expected, "{name}: {}", told.told());
        let (told, _) = verdict(&twin);
        assert!(told.is_approved(), "the twin of {name}: {}", told.told());
    }
}

#[test]
fn whoever_merged_made_nothing_and_may_have_approved() {
    // The step is made of what the head brings: the merge commit's own author is not among its makers.
    let (told, names) = verdict(&honest());
    assert!(told.is_approved() && names.is_empty(), "{names:?}");
    assert_eq!(told.by.iter().map(|vote| vote.person.as_str()).collect::<Vec<_>>(), ["dana"]);
}

#[test]
fn a_commit_that_no_proposal_answers_for_is_pending_first() {
    let evidence = |proposals, failed: Option<&str>| Evidence {
        forge: "forge.example".into(),
        repository: 70,
        proposals,
        since: at(0),
        failed: failed.map(str::to_owned),
    };
    for (evidence, now, expected) in [
        (evidence(vec![], None), at(0), Some("ProposalPending")),
        (evidence(vec![], None), at(4), Some("ProposalPending")),
        (evidence(vec![], None), at(5), Some("NoProposal")),
        (evidence(vec![], Some("it is away")), at(5), Some("ForgeUnavailable")),
        (evidence(vec![honest().proposal], None), at(5), None),
        (evidence(vec![honest().proposal], Some("it is away")), at(5), Some("ForgeUnavailable")),
    ] {
        let told = unanswered(&evidence, now).map(|refused| refused.flaw.as_str());
        assert_eq!(told, expected, "{:?} at {now}", evidence.failed);
    }
    let told = unanswered(&evidence(vec![], Some("it is away")), at(0)).expect("refused").to_string();
    assert_eq!(told, "the forge cannot be asked: it is away (ForgeUnavailable)");
}

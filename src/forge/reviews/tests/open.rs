//! What is asked of a proposal that is open, and that nothing waits for what it does not need.

use std::time::Duration;

use super::*;

/// Long enough for any machine; only what hangs takes it.
const HANGS: Duration = Duration::from_secs(30);

#[tokio::test]
async fn an_open_one_is_known_as_it_will_be_when_it_is_merged() {
    let (github, gitlab) = (github(), gitlab());
    let merged = github.shown(&format!("{R}/commits/{M}/pulls"))[0].clone();
    let (of_github, of_gitlab) = (format!("{R}/pulls/7"), format!("{P}/merge_requests/7"));
    for (kind, fake, path, mut shown, state) in [
        (ForgeType::GitHub, &github, &of_github, merged, "open"),
        (ForgeType::GitLab, &gitlab, &of_gitlab, gitlab.shown(&of_gitlab), "opened"),
    ] {
        let forge = fake.forge(kind).await;
        let landed = forge.proposals(M).await.expect("an answer");
        (shown["merged_at"], shown["state"]) = (Value::Null, json!(state));
        shown["merge_commit_sha"] = Value::Null;
        fake.put(path, shown);
        let open = forge.proposal(7).await.expect("an answer");
        let expected = Proposal { merged_at: None, merge_commit: None, ..landed.proposals[0].clone() };
        assert_eq!(open, Said { proposals: vec![expected], ..landed }, "{kind:?}");
    }
}

#[tokio::test]
async fn one_that_was_merged_meanwhile_costs_no_more_questions() {
    let fake = github();
    let merged = fake.shown(&format!("{R}/commits/{M}/pulls"))[0].clone();
    fake.put(&format!("{R}/pulls/7"), merged);
    let said = fake.forge(ForgeType::GitHub).await.proposal(7).await.expect("an answer");
    assert!(said.proposals[0].merged_at.is_some() && said.proposals[0].reviews.is_empty());
    assert_eq!(fake.asked().len(), 2, "the repository, and the pull request");
}

#[tokio::test]
async fn what_does_not_need_another_answer_is_asked_at_once() {
    let fake = github();
    let (root, found) = (R.to_owned(), format!("{R}/commits/{M}/pulls"));
    fake.answers_together(&[&root, &found]);
    let of_pull = ["pulls/7/commits", "issues/7/timeline", "pulls/7/reviews"].map(|rest| format!("{R}/{rest}"));
    fake.answers_together(&[&of_pull[0], &of_pull[1], &of_pull[2], "/repos/ada/web/activity"]);
    let people = ["dana", "devi", "rita", "olga"].map(|login| format!("{R}/collaborators/{login}/permission"));
    fake.answers_together(&people.each_ref().map(String::as_str));
    let forge = fake.forge(ForgeType::GitHub).await;
    let said = tokio::time::timeout(HANGS, forge.proposals(M)).await.expect("nothing waits").expect("an answer");
    assert_eq!(said.proposals[0].reviews.len(), 4);
    assert_eq!(fake.asked().len(), 2 + 1 + 2 + 3 + 1 + 4, "and nothing is asked twice");

    let fake = gitlab();
    let (root, found) = (P.to_owned(), format!("{P}/repository/commits/{M}/merge_requests"));
    fake.answers_together(&[&root, &found]);
    let of_request = ["versions", "notes", "approvals"].map(|rest| format!("{P}/merge_requests/7/{rest}"));
    fake.answers_together(&of_request.each_ref().map(String::as_str));
    let forge = fake.forge(ForgeType::GitLab).await;
    let said = tokio::time::timeout(HANGS, forge.proposals(M)).await.expect("nothing waits").expect("an answer");
    assert!(!said.proposals[0].reviews.is_empty());
}

#[tokio::test]
async fn who_made_a_head_is_not_asked_again_when_that_head_is_merged_and_of_another_one_it_is() {
    let fake = github();
    let landed = format!("{R}/commits/{M}/pulls");
    let merged = fake.shown(&landed)[0].clone();
    let mut open = merged.clone();
    (open["merged_at"], open["state"], open["merge_commit_sha"]) = (Value::Null, json!("open"), Value::Null);
    fake.put(&format!("{R}/pulls/7"), open);
    let forge = fake.forge(ForgeType::GitHub).await.with(Book::default());
    let before = forge.proposal(7).await.expect("an answer");
    fake.asked();
    let of_makers = |asked: &[(String, bool)]| {
        asked.iter().filter(|(line, _)| line.contains("/activity") || line.contains("/pulls/7/commits")).count()
    };
    let after = forge.proposals(M).await.expect("an answer");
    let asked = fake.asked();
    assert_eq!(
        (&after.proposals[0].authors, &after.proposals[0].pushers),
        (&before.proposals[0].authors, &before.proposals[0].pushers)
    );
    assert_eq!(of_makers(&asked), 0, "{asked:#?}");
    // What else there is to know is asked: it may have changed.
    for rest in ["/timeline", "/reviews", "/permission"] {
        assert!(asked.iter().any(|(line, _)| line.contains(rest)), "{rest} in {asked:#?}");
    }
    // Another head, and another target: other commits.
    for (pointer, value) in [("/head/sha", json!(G)), ("/base/ref", json!("release"))] {
        let mut other = merged.clone();
        *other.pointer_mut(pointer).expect("it is there") = value;
        fake.put(&landed, json!([other]));
        forge.proposals(M).await.expect("an answer");
        assert!(of_makers(&fake.asked()) > 0, "{pointer}");
    }
    // Who is not known of all is asked for again.
    let fake = github();
    fake.put(&format!("{R}/pulls/7"), {
        let mut open = fake.shown(&landed)[0].clone();
        (open["merged_at"], open["state"], open["merge_commit_sha"]) = (Value::Null, json!("open"), Value::Null);
        open
    });
    let known = fake.shown("/repos/ada/web/activity");
    fake.put("/repos/ada/web/activity", json!([]));
    let forge = fake.forge(ForgeType::GitHub).await.with(Book::default());
    assert_eq!(forge.proposal(7).await.expect("an answer").proposals[0].pushers, None);
    fake.put("/repos/ada/web/activity", known);
    assert_eq!(forge.proposals(M).await.expect("an answer").proposals[0].pushers, Some(BTreeSet::from([8, 9])));
}

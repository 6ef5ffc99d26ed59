//! What real Gitea does now and then: `tests/proposals.rs` cannot have it do so.

use super::*;

const BEFORE: &str = "5555555555555555555555555555555555555555";

/// Pull request 7, which was merged as it is.
fn forwarded(base: &str) -> Fake {
    let fake = Fake::default();
    fake.put(R, json!({"id": 70, "full_name": "shop/web"}));
    fake.put(
        &format!("{R}/commits/{M}/pull"),
        json!({
            "number": 7, "merged_at": "2026-11-29T10:30:00Z", "merge_commit_sha": M, "merge_base": base, "user": {"id": 9},
            "base": {"ref": "main", "repo_id": 70}, "head": {"label": "feature", "repo": {"full_name": "shop/web"}},
        }),
    );
    fake.put(
        &format!("{R}/git/refs/pull/7/head"),
        json!([{"ref": "refs/pull/7/head", "object": {"sha": M}}, {"ref": "refs/pull/70/head", "object": {"sha": G}}]),
    );
    fake.put(&format!("{R}/issues/7/timeline"), json!([{"type": "merge_pull", "created_at": "2026-11-29T10:30:00Z"}]));
    fake.put(&format!("{R}/pulls/7/commits"), json!([{"author": {"id": 9}, "committer": null}]));
    fake.put(&format!("{R}/pulls/7/reviews"), json!([]));
    let push = |id: u64, reference: &str, before: &str, after: &str| {
        let content =
            json!({"CompareURL": format!("shop/web/compare/{before}...{after}"), "HeadCommit": {"Sha1": after}});
        json!({"id": id, "op_type": "commit_repo", "ref_name": reference, "act_user_id": 9, "content": content.to_string()})
    };
    let made =
        json!({"id": 3, "op_type": "commit_repo", "ref_name": "refs/heads/feature", "act_user_id": 9, "content": ""});
    fake.put(
        &format!("{R}/activities/feeds"),
        json!([
            push(9, "refs/heads/main", M, H),
            push(8, "refs/heads/main", BEFORE, M),
            {"id": 7, "op_type": "merge_pull_request", "ref_name": "", "act_user_id": 1, "content": "7|be kind"},
            push(4, "refs/heads/feature", BASE, M),
            made,
        ]),
    );
    fake
}

#[tokio::test]
async fn a_base_that_was_found_after_the_push_is_that_before_it() {
    for (base, expected) in [(BASE, BASE), (M, BEFORE)] {
        let said = forwarded(base).forge(ForgeType::Gitea).await.proposals(M).await.expect("an answer");
        let proposal = &said.proposals[0];
        assert_eq!((proposal.head.as_deref(), proposal.base.as_deref()), (Some(M), Some(expected)), "{base}");
        assert_eq!(proposal.pushers, Some(BTreeSet::from([9])));
    }
    let fake = forwarded(M);
    fake.put(&format!("{R}/activities/feeds"), json!([]));
    let said = fake.forge(ForgeType::Gitea).await.proposals(M).await.expect("an answer");
    assert_eq!(said.proposals[0].base, None, "nobody knows where it begins");
}

use super::fake::Fake;
use super::*;
use crate::forge::Access;

const A: &str = "1111111111111111111111111111111111111111";
const B: &str = "2222222222222222222222222222222222222222";

async fn forge(kind: ForgeType, fake: &Fake) -> Forge {
    let (api, url) = (fake.serve().await, "https://git.example.com/shop/web.git");
    Forge::new(&Access { kind, api: Some(&api), url, token: "canary-token", ca: None }).expect("a forge")
}

fn target() -> Target {
    Target { environment: "prod/eu".to_owned(), ..Target::default() }
}

fn status(light: Light, description: &str) -> CommitStatus {
    CommitStatus { light, description: description.to_owned() }
}

fn main(commit: &str) -> (&str, Name<'static>) {
    (commit, Name { name: "main", tag: false })
}

fn told(fake: &Fake) -> Vec<(String, Vec<String>)> {
    fake.deployments().into_iter().map(|(commit, _, told)| (commit[..1].to_owned(), told)).collect()
}

fn is(commit: &str, told: &[&str]) -> (String, Vec<String>) {
    (commit.to_owned(), told.iter().map(|&text| text.to_owned()).collect())
}

#[tokio::test]
async fn github_has_one_deployment_of_a_commit_that_is_found_again_and_told_anew() {
    let fake = Fake::default();
    let forge = forge(ForgeType::GitHub, &fake).await;
    let target = target();
    // Another program deploys the same commit, and this one deployed it elsewhere.
    fake.add(json!({"sha": A, "environment": "prod/eu", "task": "deploy"}));
    fake.add(json!({"sha": A, "environment": "prod", "task": TASK}));
    assert_eq!(forge.deployment(A, "prod/eu").await, Ok(None));
    let asked =
        format!("GET /repos/shop/web/deployments?page=1&per_page=100&sha={A}&environment=prod%2Feu&task=tandem");
    assert_eq!(fake.requests(), std::slice::from_ref(&asked));
    let working = status(Light::Pending, "applied 0/2");
    let id = forge.deploy(main(A), None, &target, &working).await.expect("told");
    let statuses = format!("POST /repos/shop/web/deployments/{id}/statuses");
    assert_eq!(fake.requests(), ["POST /repos/shop/web/deployments".to_owned(), statuses.clone()]);
    assert_eq!(forge.deployment(A, "prod/eu").await, Ok(Some(Deployment { id, shown: Some(working) })));
    let look = format!("GET /repos/shop/web/deployments/{id}/statuses?page=1&per_page=100");
    assert_eq!(fake.requests(), [asked, look], "what is found costs two calls");
    for (light, text) in
        [(Light::Failure, "failed: shop/web"), (Light::Pending, "applied 1/2"), (Light::Success, "healthy")]
    {
        assert_eq!(forge.deploy(main(A), Some(id), &target, &status(light, text)).await, Ok(id));
        assert_eq!(fake.requests(), std::slice::from_ref(&statuses));
        let found = forge.deployment(A, "prod/eu").await.expect("an answer").expect("a deployment");
        assert_eq!(found, Deployment { id, shown: Some(status(light, text)) });
        fake.requests();
    }
    let all = ["in_progress: applied 0/2", "failure: failed: shop/web", "in_progress: applied 1/2", "success: healthy"];
    assert_eq!(told(&fake), [is("1", &[]), is("1", &[]), is("1", &all)]);
    assert_eq!(
        (fake.last("environment_url"), fake.last("log_url")),
        (Value::Null, Value::Null),
        "only where they are set"
    );
}

#[tokio::test]
async fn links_of_the_spec_stand_in_each_status_of_github() {
    let fake = Fake::default();
    let forge = forge(ForgeType::GitHub, &fake).await;
    let (shop, log) = ("https://shop.example.com/", "https://log.example.com/q?a=b");
    let target = Target { environment_url: Some(shop.to_owned()), log_url: Some(log.to_owned()), ..target() };
    forge.deploy(main(A), None, &target, &status(Light::Success, "healthy 1/1")).await.expect("told");
    assert_eq!((fake.last("environment_url"), fake.last("log_url")), (json!(shop), json!(log)));
}

#[tokio::test]
async fn on_github_a_success_takes_the_place_of_the_one_before_and_what_is_overtaken_is_ended() {
    let fake = Fake::default();
    let forge = forge(ForgeType::GitHub, &fake).await;
    let target = target();
    let first = forge.deploy(main(A), None, &target, &status(Light::Success, "healthy 1/1")).await.expect("told");
    let second = forge.deploy(main(B), None, &target, &status(Light::Pending, "applied 0/1")).await.expect("told");
    assert_eq!(forge.overtaken(B, "prod/eu").await, Ok(None), "the one before has come to its end");
    assert_eq!(forge.overtaken(A, "prod/eu").await, Ok(Some(second)));
    assert_eq!(forge.overtaken(A, "prod").await, Ok(None), "of another environment");
    forge.end(second).await.expect("told");
    assert_eq!(forge.overtaken(A, "prod/eu").await, Ok(None));
    assert_eq!(
        forge.deployment(B, "prod/eu").await,
        Ok(Some(Deployment { id: second, shown: None })),
        "it may come back"
    );
    forge.deploy(main(B), Some(second), &target, &status(Light::Success, "healthy 1/1")).await.expect("told");
    assert_eq!(forge.deployment(A, "prod/eu").await, Ok(Some(Deployment { id: first, shown: None })));
    let (gone, came) = ("inactive: a newer commit has taken its place", "success: healthy 1/1");
    let all = [is("1", &[came, "inactive: "]), is("2", &["in_progress: applied 0/1", gone, came])];
    assert_eq!(told(&fake), all);
}

#[tokio::test]
async fn gitlab_has_one_deployment_of_a_commit_whose_status_is_another() {
    let fake = Fake::default();
    let forge = forge(ForgeType::GitLab, &fake).await;
    let target = target();
    // A job of CI has deployed the same commit; nobody else may write that.
    fake.add(json!({"sha": A, "environment": "prod/eu", "status": "running", "deployable": {"id": 1}}));
    assert_eq!(forge.deployment(A, "prod/eu").await, Ok(None));
    let list = "GET /projects/shop%2Fweb/deployments?environment=prod%2Feu&order_by=id&sort=desc&per_page=100";
    assert_eq!(fake.requests(), [list]);
    let id = forge.deploy(main(A), None, &target, &status(Light::Pending, "")).await.expect("told");
    assert_eq!(fake.requests(), ["POST /projects/shop%2Fweb/deployments"]);
    assert_eq!(
        forge.deployment(A, "prod/eu").await,
        Ok(Some(Deployment { id, shown: Some(status(Light::Pending, "")) }))
    );
    fake.requests();
    for light in [Light::Failure, Light::Success, Light::Failure] {
        assert_eq!(forge.deploy(main(A), Some(id), &target, &status(light, "")).await, Ok(id));
        assert_eq!(fake.requests(), [format!("PUT /projects/shop%2Fweb/deployments/{id}")]);
        let found = forge.deployment(A, "prod/eu").await;
        assert_eq!(found, Ok(Some(Deployment { id, shown: Some(status(light, "")) })));
        fake.requests();
    }
    assert_eq!(forge.deployment(A, "prod").await, Ok(None), "of another environment");
    let all = ["running: ", "failed: ", "success: ", "failed: "];
    assert_eq!(told(&fake), [is("1", &[]), is("1", &all)]);
}

#[tokio::test]
async fn on_gitlab_what_is_overtaken_is_cancelled_and_a_tag_is_told_as_one() {
    let fake = Fake::default();
    let forge = forge(ForgeType::GitLab, &fake).await;
    let target = target();
    let first = forge.deploy(main(A), None, &target, &status(Light::Pending, "")).await.expect("told");
    assert_eq!(forge.overtaken(A, "prod/eu").await, Ok(None), "that is itself");
    assert_eq!(forge.overtaken(B, "prod/eu").await, Ok(Some(first)));
    forge.end(first).await.expect("told");
    assert_eq!(forge.overtaken(B, "prod/eu").await, Ok(None));
    // It cannot begin again, so that it comes back shows at its end.
    let found = forge.deployment(A, "prod/eu").await;
    assert_eq!(found, Ok(Some(Deployment { id: first, shown: Some(status(Light::Pending, "")) })));
    forge.deploy(main(A), Some(first), &target, &status(Light::Success, "")).await.expect("told");
    let tag = (B, Name { name: "v1.2.3", tag: true });
    forge.deploy(tag, None, &target, &status(Light::Success, "")).await.expect("told");
    assert_eq!(told(&fake), [is("1", &["running: ", "canceled: ", "success: "]), is("2", &["success: "])]);
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_deployment() {
    for kind in [ForgeType::GitHub, ForgeType::GitLab] {
        let fake = Fake::default();
        let forge = forge(kind, &fake).await;
        let (target, working) = (target(), status(Light::Pending, ""));
        fake.loses_an_answer();
        let lost = forge.deploy(main(A), None, &target, &working).await.expect_err("the answer is lost");
        assert!(matches!(lost, ForgeError::Nonsense(..)), "{lost}");
        let found = forge.deployment(A, "prod/eu").await.expect("an answer").expect("it was made");
        // GitHub was not told how far it is yet; GitLab was, with the deployment itself.
        let shown = (kind == ForgeType::GitLab).then_some(working);
        assert_eq!(found.shown, shown, "{kind:?}");
        forge.deploy(main(A), Some(found.id), &target, &status(Light::Success, "")).await.expect("told");
        assert_eq!(fake.deployments().len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn all_pages_are_looked_through_and_a_forge_that_fails_is_told_and_left_alone() {
    let fake = Fake::default();
    let forge = forge(ForgeType::GitHub, &fake).await;
    let target = target();
    let id = forge.deploy(main(A), None, &target, &status(Light::Failure, "failed")).await.expect("told");
    for at in 0..4 {
        forge
            .deploy(main(A), Some(id), &target, &status(Light::Pending, &format!("applied {at}/4")))
            .await
            .expect("told");
    }
    for _ in 0..3 {
        fake.add(json!({"sha": A, "environment": "prod/eu", "task": TASK}));
    }
    fake.requests();
    assert_eq!(forge.deployment(A, "prod/eu").await, Ok(Some(Deployment { id: 4, shown: None })), "the newest counts");
    assert_eq!(fake.requests().len(), 3, "four in pages of two, and the statuses of one");
    let place = |rest: &str| format!("{}/repos/shop/web/deployments{rest}", forge.client.api().trim_end_matches('/'));
    for (status_code, headers, deploys) in [
        (
            403,
            vec![("retry-after", "9")],
            ForgeError::Limited { place: place(""), pause: std::time::Duration::from_secs(9) },
        ),
        (403, vec![], ForgeError::Refused(place(""), 403)),
        (404, vec![], ForgeError::NotFound(place(""))),
        (302, vec![("location", "http://192.0.2.1/")], ForgeError::Redirected(place(""))),
    ] {
        fake.breaks(status_code, &headers);
        let error = forge.deploy(main(B), None, &target, &status(Light::Success, "")).await.expect_err("it fails");
        assert_eq!(error, deploys);
        assert!(forge.deployment(B, "prod/eu").await.is_err() && forge.overtaken(B, "prod/eu").await.is_err());
        assert!(!format!("{error} {error:?}").contains("canary-token"), "{error}");
        forge.client.forgive();
    }
    fake.breaks(200, &[]);
    for told in [
        forge.deployment(A, "prod/eu").await.map(|_| ()),
        forge.overtaken(A, "prod/eu").await.map(|_| ()),
        forge.deploy(main(A), None, &target, &status(Light::Success, "")).await.map(|_| ()),
    ] {
        assert!(matches!(told, Err(ForgeError::Nonsense(..))), "an answer that is none: {told:?}");
    }
    fake.mends();
    assert_eq!(fake.deployments().len(), 4, "nothing was made meanwhile");
}

#[tokio::test]
async fn gitea_has_none_and_says_so() {
    let fake = Fake::default();
    let forge = forge(ForgeType::Gitea, &fake).await;
    let told = Err(ForgeError::NoDeployments);
    assert_eq!(forge.deployment(A, "prod").await.map(|_| ()), told);
    assert_eq!(forge.overtaken(A, "prod").await.map(|_| ()), told);
    assert_eq!(forge.deploy(main(A), None, &target(), &status(Light::Success, "")).await.map(|_| ()), told);
    assert_eq!(forge.end(1).await, told);
    assert!(fake.requests().is_empty());
}

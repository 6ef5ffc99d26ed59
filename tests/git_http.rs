//! Git over HTTP and HTTPS, through the worker process, against nginx and git http-backend.

use tandem::agent::worker::{ClientCertificate, Credentials, History, Proxy, Secret, Source};
use tandem::failure::Fault;
use tandem::render::{Options, ReadRecord, ReadSet};
use tandem::revision::{Ancestry, Wanted};

use crate::git_remote::{Readers, Repositories, config_map, serve};

#[tokio::test]
async fn a_commit_is_listed_fetched_compared_and_rendered() {
    let repositories = Repositories::new();
    let app = repositories.create("app");
    let first = app.push("first", &[("deploy/one.yaml", &config_map("one", "1")), ("README.md", "hello")]);
    let server = serve("git-http", &["--root", &repositories.root()]);
    let source = Source::new(server.repository("app"));
    let readers = Readers::new();
    let workers = &readers.workers;

    let listed = readers.fetch(&source, "main").await.expect("fetched");
    assert_eq!(listed.revision.commit, first);
    assert_eq!(listed.revision.to_string(), format!("main@sha1:{first}"));
    let again = workers.fetch(&source, &listed).await.expect("fetched again");
    assert_eq!((again.received_bytes, again.commit.subject.as_str()), (0, "first"));

    let rendered = workers.render(&source.url, &first, "deploy", &Options::default()).await.expect("rendered");
    assert!(rendered.problems.is_empty(), "{:?}", rendered.problems);
    let missing = workers.render(&source.url, &first, "nowhere", &Options::default()).await.expect("rendered");
    assert_eq!(missing.problems.len(), 1);
    let miss = ReadSet { records: vec![ReadRecord { path: "nowhere".into(), id: None }] };
    let read_sets = [rendered.read_set.clone(), miss];

    let second = app.push("second\n\nTandem-Delete: shop/web 3\nReviewed-by: Bob", &[("README.md", "changed")]);
    let found = readers.fetch(&source, "main").await.expect("fetched");
    assert_eq!(found.revision.commit, second);
    assert_eq!(workers.ancestry(&source, &first, &found).await, Ok(Ancestry::Descends));
    assert_eq!(workers.unchanged(&source.url, &second, &read_sets).await, Ok(vec![true, true]));

    // As a squash merge writes it: a line in the middle.
    let squashed = "third (#7)\n\n* one\n\nTandem-Delete: shop/web 4\n\n* two\n\nReviewed-by: Eve";
    let third = app.push(squashed, &[("deploy/one.yaml", &config_map("one", "2"))]);
    let found = readers.fetch(&source, "main").await.expect("fetched");
    assert_eq!(workers.unchanged(&source.url, &third, &read_sets).await, Ok(vec![false, true]));
    assert_eq!(workers.ancestry(&source, &first, &found).await, Ok(Ancestry::Descends));

    let history = History { from: Some(first), to: third.clone(), path: None, without: Vec::new() };
    let trailers = workers.trailers(&source.url, history).await.expect("trailers");
    let lines: Vec<_> = trailers.iter().flat_map(|c| &c.trailers).map(|t| format!("{}: {}", t.key, t.value)).collect();
    let expected = ["Tandem-Delete: shop/web 4", "Reviewed-by: Eve", "Tandem-Delete: shop/web 3", "Reviewed-by: Bob"];
    assert_eq!(lines, expected);
    assert_eq!(trailers.iter().map(|c| c.commit.commit.as_str()).collect::<Vec<_>>(), [&third, &second]);
}

#[tokio::test]
async fn an_unchanged_remote_with_many_references_costs_one_small_listing() {
    let repositories = Repositories::new();
    let app = repositories.create("app");
    let commit = app.push("first", &[("one.yaml", &config_map("one", "1"))]);
    let packed: String = (0..2000).map(|n| format!("{commit} refs/tags/v0.{n}.0\n")).collect();
    std::fs::write(app.bare.join("packed-refs"), packed).expect("packed-refs");
    let server = serve("git-http", &["--root", &repositories.root()]);
    let source = Source::new(server.repository("app"));
    let readers = Readers::new();
    let wanted = Wanted::Branch("main".into());
    let first = readers.workers.refs(&source, &wanted).await.expect("listed");
    let second = readers.workers.refs(&source, &wanted).await.expect("listed");
    assert!(first.received_bytes < 400, "{} bytes", first.received_bytes);
    assert!(second.received_bytes < 100, "{} bytes", second.received_bytes);
    let newest = readers.workers.refs(&source, &Wanted::Semver(">=0.1".into())).await.expect("listed");
    assert_eq!(newest.revision.name, "v0.1999.0");
}

#[tokio::test]
async fn a_read_set_of_many_syncs_is_compared_at_once() {
    let repositories = Repositories::new();
    let app = repositories.create("app");
    let files: Vec<(String, String)> =
        (0..500).map(|n| (format!("apps/app{n}/web.yaml"), config_map("web", &n.to_string()))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(n, c)| (n.as_str(), c.as_str())).collect();
    app.push("first", &files);
    let server = serve("git-http", &["--root", &repositories.root()]);
    let source = Source::new(server.repository("app"));
    let readers = Readers::new();
    readers.fetch(&source, "main").await.expect("fetched");
    let read_sets: Vec<ReadSet> = (0..500)
        .map(|n| {
            let path = format!("apps/app{n}");
            let id = app.git(&["rev-parse", &format!("HEAD:{path}")]);
            ReadSet { records: vec![ReadRecord { path, id: Some(id) }] }
        })
        .collect();
    let second = app.push("second", &[("apps/app7/web.yaml", &config_map("web", "changed"))]);
    readers.fetch(&source, "main").await.expect("fetched");
    let unchanged = readers.workers.unchanged(&source.url, &second, &read_sets).await.expect("compared");
    let changed: Vec<usize> = unchanged.iter().enumerate().filter(|(_, same)| !**same).map(|(n, _)| n).collect();
    assert_eq!(changed, [7]);
}

/// Basic credentials.
fn basic(username: &str, password: &str) -> Credentials {
    Credentials::Basic { username: username.to_owned(), password: Secret::new(password) }
}

fn one_repository() -> (Repositories, String) {
    let repositories = Repositories::new();
    let commit = repositories.create("app").push("first", &[("one.yaml", &config_map("one", "1"))]);
    (repositories, commit)
}

#[tokio::test]
async fn passwords_and_tokens_open_and_others_do_not() {
    let (repositories, commit) = one_repository();
    let root = repositories.root();
    let password = serve("git-http", &["--root", &root, "--user", "ada", "--password", "canary-right"]);
    let bearer = serve("git-http", &["--root", &root, "--bearer", "canary-right"]);
    let readers = Readers::new();
    let token = |token: &str| Credentials::Bearer { token: Secret::new(token) };
    for (server, good, bad) in [
        (&password, basic("ada", "canary-right"), basic("ada", "canary-wrong")),
        (&bearer, token("canary-right"), token("canary-wrong")),
    ] {
        let mut source = Source::new(server.repository("app"));
        assert_eq!(readers.refused(&source).await.reason, "AuthenticationFailed");
        source.credentials = bad;
        let failed = readers.refused(&source).await;
        assert_eq!((failed.reason.as_str(), failed.fault), ("AuthenticationFailed", Fault::Repository));
        source.credentials = good;
        let listed = readers.fetch(&source, "main").await.expect("fetched");
        assert_eq!(listed.revision.commit, commit);
        // What is in the cache by now opens nothing for those who may not read it.
        source.credentials = Credentials::None;
        assert_eq!(readers.refused(&source).await.reason, "AuthenticationFailed");
        let commit = Wanted::Commit(commit.clone());
        assert_eq!(readers.workers.refs(&source, &commit).await.expect_err("refused").reason, "AuthenticationFailed");
    }
}

#[tokio::test]
async fn a_private_authority_and_a_client_certificate_are_used() {
    let (repositories, commit) = one_repository();
    let root = repositories.root();
    let tls = serve("git-http", &["--root", &root, "--tls"]);
    let mutual = serve("git-http", &["--root", &root, "--tls", "--mtls"]);
    let readers = Readers::new();

    let mut source = Source::new(tls.repository("app"));
    let untrusted = readers.refused(&source).await;
    assert_eq!((untrusted.reason.as_str(), untrusted.fault), ("TlsFailed", Fault::Repository), "{untrusted}");
    source.ca = Some(mutual.file("ca_file"));
    assert_eq!(readers.refused(&source).await.reason, "TlsFailed", "another authority");
    source.ca = Some("canary no PEM".to_owned());
    assert_eq!(readers.refused(&source).await.reason, "InvalidCredentials");
    source.ca = Some(tls.file("ca_file"));
    assert_eq!(readers.fetch(&source, "main").await.expect("fetched").revision.commit, commit);

    let mut source = Source::new(mutual.repository("app"));
    source.ca = Some(mutual.file("ca_file"));
    let without = readers.refused(&source).await;
    assert_eq!((without.reason.as_str(), without.fault), ("AuthenticationFailed", Fault::Repository), "{without}");
    let certificate = mutual.file("client_cert_file");
    let key = Secret::new("canary no key");
    source.client_certificate = Some(ClientCertificate { certificate: certificate.clone(), key });
    assert_eq!(readers.refused(&source).await.reason, "InvalidCredentials");
    let key = Secret::new(mutual.file("client_key_file"));
    source.client_certificate = Some(ClientCertificate { certificate, key });
    assert_eq!(readers.fetch(&source, "main").await.expect("fetched").revision.commit, commit);
}

#[tokio::test]
async fn a_proxy_is_used_for_http_and_https() {
    let (repositories, commit) = one_repository();
    let root = repositories.root();
    let plain = serve("git-http", &["--root", &root]);
    let tls = serve("git-http", &["--root", &root, "--tls"]);
    let proxy = serve("proxy", &["--user", "ada", "--password", "canary-right"]);
    let login = |password: &str| Some(("ada".to_owned(), Secret::new(password)));
    for server in [&plain, &tls] {
        let readers = Readers::new();
        let mut source = Source::new(server.repository("app"));
        source.ca = server.told["ca_file"].as_str().map(|_| server.file("ca_file"));
        source.proxy = Some(Proxy { address: proxy.get("url"), login: login("canary-right") });
        let before = proxy.file("access_log").lines().count();
        assert_eq!(readers.fetch(&source, "main").await.expect("fetched").revision.commit, commit);
        let used = proxy.file("access_log").lines().count() - before;
        assert!(used > 0, "the proxy was not asked");
        source.proxy = Some(Proxy { address: proxy.get("url"), login: login("canary-wrong") });
        let failed = readers.refused(&source).await;
        assert_eq!((failed.reason.as_str(), failed.fault), ("ProxyFailed", Fault::Transient), "{failed}");
        source.proxy = Some(Proxy { address: "http://127.0.0.1:1".to_owned(), login: None });
        let failed = readers.refused(&source).await;
        assert_eq!(failed.reason, "ProxyFailed", "{failed}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let (repositories, commit) = one_repository();
    repositories.create("empty");
    let server = serve("git-http", &["--root", &repositories.root()]);
    let readers = Readers::new();
    let reason = async |repository: &str, wanted: Wanted| {
        let source = Source::new(server.repository(repository));
        let failed = readers.workers.refs(&source, &wanted).await.expect_err("not there");
        assert_eq!(failed.fault, Fault::Repository, "{failed}");
        failed.reason
    };
    assert_eq!(reason("gone", Wanted::Branch("main".into())).await, "RepositoryNotFound");
    assert_eq!(reason("empty", Wanted::Branch("main".into())).await, "EmptyRepository");
    assert_eq!(reason("app", Wanted::Branch("gone".into())).await, "RefNotFound");
    assert_eq!(reason("app", Wanted::Tag("v1".into())).await, "RefNotFound");
    assert_eq!(reason("app", Wanted::Semver("latest".into())).await, "InvalidRange");
    assert_eq!(reason("app", Wanted::Semver(">=1".into())).await, "RefNotFound");

    let source = Source::new(server.repository("app"));
    let gone = Wanted::Commit("1".repeat(40));
    let listed = readers.workers.refs(&source, &gone).await.expect("the repository may be read");
    let failed = readers.workers.fetch(&source, &listed).await.expect_err("no such commit");
    assert_eq!((failed.reason.as_str(), failed.fault), ("CommitUnavailable", Fault::Repository), "{failed}");
    let listed = readers.workers.refs(&source, &Wanted::Commit(commit.clone())).await.expect("listed");
    let fetched = readers.workers.fetch(&source, &listed).await.expect("the commit is fetched by its id");
    assert_eq!(fetched.revision.commit, commit);

    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address").port();
    for url in [format!("http://127.0.0.1:{free}/app.git"), "https://nowhere.invalid/app.git".to_owned()] {
        let failed = readers.refused(&Source::new(url)).await;
        assert_eq!((failed.reason.as_str(), failed.fault), ("ConnectFailed", Fault::Transient), "{failed}");
    }
    let failed = readers.refused(&Source::new("http://user:canary@127.0.0.1/app.git")).await;
    assert_eq!(failed.reason, "InvalidUrl");
}

#[tokio::test]
async fn every_way_of_wanting_a_commit_ends_in_its_files() {
    let repositories = Repositories::new();
    let app = repositories.create("app");
    let first = app.push("first", &[("one.yaml", &config_map("one", "1"))]);
    app.git(&["tag", "-a", "v1.0.0", "-m", "annotated"]);
    let second = app.push("second", &[("one.yaml", &config_map("one", "2"))]);
    app.git(&["tag", "v1.1.0"]);
    let third = app.push("third", &[("one.yaml", &config_map("one", "3"))]);
    app.git(&["push", "-q", "origin", "--tags", "HEAD:refs/pull/7/head", "HEAD:refs/heads/team/main"]);
    app.git(&["tag", "-a", "tree", "-m", "no commit", "HEAD^{tree}"]);
    app.git(&["push", "-q", "origin", "tree"]);
    let server = serve("git-http", &["--root", &repositories.root()]);
    let source = Source::new(server.repository("app"));
    for (wanted, written, commit) in [
        (Wanted::Branch("main".into()), format!("main@sha1:{third}"), &third),
        (Wanted::Branch("team/main".into()), format!("team/main@sha1:{third}"), &third),
        (Wanted::Tag("v1.0.0".into()), format!("v1.0.0@sha1:{first}"), &first),
        (Wanted::Tag("v1.1.0".into()), format!("v1.1.0@sha1:{second}"), &second),
        (Wanted::Semver(">=1.0.0, <1.1.0".into()), format!("v1.0.0@sha1:{first}"), &first),
        (Wanted::Semver("1".into()), format!("v1.1.0@sha1:{second}"), &second),
        (Wanted::Name("refs/pull/7/head".into()), format!("refs/pull/7/head@sha1:{third}"), &third),
        (Wanted::Commit(second.clone()), format!("sha1:{second}"), &second),
    ] {
        let readers = Readers::new();
        let listed = readers.workers.refs(&source, &wanted).await.expect("listed");
        assert_eq!(listed.revision.to_string(), written);
        let fetched = readers.workers.fetch(&source, &listed).await.unwrap_or_else(|e| panic!("{wanted:?}: {e}"));
        assert_eq!((&fetched.revision, &fetched.commit.commit), (&listed.revision, commit));
        let rendered = readers.workers.render(&source.url, commit, "", &Options::default()).await.expect("rendered");
        assert_eq!((rendered.manifests.len(), rendered.problems.len()), (1, 0), "{:?}", rendered.problems);
    }
    let readers = Readers::new();
    let listed = readers.workers.refs(&source, &Wanted::Tag("tree".into())).await.expect("listed");
    let failed = readers.workers.fetch(&source, &listed).await.expect_err("a tag of a tree");
    assert_eq!((failed.reason.as_str(), failed.fault), ("RefNotFound", Fault::Repository), "{failed}");
}

#[tokio::test]
async fn trailers_are_those_of_the_commits_in_between_that_touch_a_path() {
    let repositories = Repositories::new();
    let app = repositories.create("app");
    let one = config_map("one", "1");
    let first = app.push("first\n\nTandem-Delete: too early", &[("a/one.yaml", &one)]);
    app.commit("second\n\nTandem-Delete: shop/web 3", &[("a/two.yaml", &one)]);
    app.git(&["checkout", "-q", "-b", "side"]);
    app.commit("side\n\nTandem-Delete: prod/shop/web 4", &[("b/side.yaml", &one)]);
    app.git(&["checkout", "-q", "main"]);
    app.commit("no trailers: none", &[("a/three.yaml", &one)]);
    app.git(&["merge", "-q", "--no-ff", "-m", "merge\n\nReviewed-by: Bob <bob@example.com>", "side"]);
    let last = app.push("last", &[]);
    let server = serve("git-http", &["--root", &repositories.root()]);
    let source = Source::new(server.repository("app"));
    let readers = Readers::new();
    // Shallow first, so that history comes with what is asked of it.
    let found = readers.fetch(&source, "main").await.expect("fetched");
    assert_eq!(readers.workers.ancestry(&source, &first, &found).await, Ok(Ancestry::Descends));
    let lines = async |from: Option<&str>, path: Option<&str>| {
        let history = History {
            from: from.map(str::to_owned),
            to: last.clone(),
            path: path.map(str::to_owned),
            without: Vec::new(),
        };
        let commits = readers.workers.trailers(&source.url, history).await.expect("trailers");
        let mut lines: Vec<_> = commits.iter().flat_map(|c| c.trailers.iter().map(|t| t.value.clone())).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(Some(&first), None).await, ["Bob <bob@example.com>", "prod/shop/web 4", "shop/web 3"]);
    assert_eq!(lines(Some(&first), Some("a")).await, ["shop/web 3"]);
    assert_eq!(lines(Some(&first), Some("b")).await, ["Bob <bob@example.com>", "prod/shop/web 4"]);
    assert_eq!(lines(Some(&last), None).await, [""; 0]);
    assert_eq!(lines(None, None).await, [""; 0]);
    let info = readers.workers.commit_info(&source.url, &last).await.expect("info");
    assert_eq!((info.author.as_str(), info.email.as_str(), info.subject.as_str()), ("Ada", "ada@example.com", "last"));
}

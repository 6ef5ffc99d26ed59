//! Git over HTTP and HTTPS, through the worker process, against nginx and git http-backend.

use tandem::agent::worker::{History, Source};
use tandem::render::{Limits, ReadRecord, ReadSet};
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

    let rendered = workers.render(&source.url, &first, "deploy", &Limits::default()).await.expect("rendered");
    assert!(rendered.problems.is_empty(), "{:?}", rendered.problems);
    let missing = workers.render(&source.url, &first, "nowhere", &Limits::default()).await.expect("rendered");
    assert_eq!(missing.problems.len(), 1);
    let read_sets = [rendered.read_set.clone(), missing.read_set.clone()];

    let second = app.push("second\n\nTandem-Delete: shop/web 3\nReviewed-by: Bob", &[("README.md", "changed")]);
    let found = readers.fetch(&source, "main").await.expect("fetched");
    assert_eq!(found.revision.commit, second);
    assert_eq!(workers.ancestry(&source, &first, &found).await, Ok(Ancestry::Descends));
    assert_eq!(workers.unchanged(&source.url, &second, &read_sets).await, Ok(vec![true, true]));

    let third = app.push("third", &[("deploy/one.yaml", &config_map("one", "2"))]);
    let found = readers.fetch(&source, "main").await.expect("fetched");
    assert_eq!(workers.unchanged(&source.url, &third, &read_sets).await, Ok(vec![false, true]));
    assert_eq!(workers.ancestry(&source, &first, &found).await, Ok(Ancestry::Descends));

    let history = History { from: Some(first), to: third, path: None };
    let trailers = workers.trailers(&source.url, history).await.expect("trailers");
    let lines: Vec<_> = trailers.iter().flat_map(|c| &c.trailers).map(|t| format!("{}: {}", t.key, t.value)).collect();
    assert_eq!(lines, ["Tandem-Delete: shop/web 3", "Reviewed-by: Bob"]);
    assert_eq!(trailers[0].commit.commit, second);
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
    let begun = std::time::Instant::now();
    let unchanged = readers.workers.unchanged(&source.url, &second, &read_sets).await.expect("compared");
    println!("500 read sets compared in {:?}", begun.elapsed());
    let changed: Vec<usize> = unchanged.iter().enumerate().filter(|(_, same)| !**same).map(|(n, _)| n).collect();
    assert_eq!(changed, [7]);
}

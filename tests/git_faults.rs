//! Remotes that hang, rewrite or vanish, caches that break, and workers that die: each is told by
//! name, and nothing that was fetched is lost because of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tandem::agent::Bound;
use tandem::agent::worker::{At, Folder, Listed, Pins, Source};
use tandem::failure::Fault;
use tandem::render::Options;
use tandem::revision::{Ancestry, Wanted};

use crate::git_remote::{Readers, Repositories, config_map, eventually, serve};

const SOON: Duration = Duration::from_secs(2);

/// Content that does not compress, so that a pack of it is long enough to hang in.
fn noise(bytes: usize) -> String {
    let mut state = 42_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{state:016x}")
    };
    (0..bytes / 16).map(|_| next()).collect()
}

#[tokio::test]
async fn a_remote_that_hangs_ends_at_its_deadline_and_holds_up_nobody_else() {
    let repositories = Repositories::new();
    let app = repositories.create("app");
    let commit = app.push("first", &[("one.yaml", &config_map("one", "1")), ("noise.txt", &noise(1 << 20))]);
    for at in ["refs", "pack"] {
        let hanging = serve("hang", &["--root", &repositories.root(), "--at", at]);
        let well = serve("git-http", &["--root", &repositories.root()]);
        let readers = Readers::new();
        let mut slow = Source::new(hanging.repository("app"));
        slow.timeout = SOON;
        let good = Source::new(well.repository("app"));
        let begun = Instant::now();
        let (hung, fetched) = tokio::join!(readers.fetch(&slow, "main"), async {
            let listed = readers.fetch(&good, "main").await;
            (listed, begun.elapsed())
        });
        let failed = hung.expect_err("hangs");
        assert_eq!((failed.reason.as_str(), failed.fault), ("Timeout", Fault::Transient), "{at}: {failed}");
        assert!(begun.elapsed() < Duration::from_secs(15), "{at}: {:?}", begun.elapsed());
        let (listed, elapsed) = fetched;
        assert_eq!(listed.expect("fetched").revision.commit, commit);
        assert!(elapsed < SOON, "{at}: the other repository waited {elapsed:?}");

        let status = Command::new("curl").args(["-fsS", "-o", "/dev/null", &hanging.get("serve_url")]).status();
        assert!(status.expect("curl runs").success());
        slow.timeout = Duration::from_secs(60);
        let listed = readers.fetch(&slow, "main").await.expect("fetched once the remote answers");
        assert_eq!(listed.revision.commit, commit);
    }
}

#[cfg(target_os = "linux")]
fn children() -> Vec<u32> {
    let tasks = fs::read_dir("/proc/self/task").expect("tasks");
    let lists = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Workers of a cache: the children that may write to it are told by their open files.
#[cfg(target_os = "linux")]
fn workers_in(cache: &Path) -> Vec<u32> {
    children()
        .into_iter()
        .filter(|id| {
            let files = fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten();
            files.filter_map(|file| fs::read_link(file.ok()?.path()).ok()).any(|path| path.starts_with(cache))
        })
        .collect()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_worker_that_is_killed_in_the_middle_of_a_fetch_is_replaced() {
    let repositories = Repositories::new();
    let app = repositories.create("app");
    let commit = app.push("first", &[("one.yaml", &config_map("one", "1")), ("noise.txt", &noise(4 << 20))]);
    let hanging = serve("hang", &["--root", &repositories.root()]);
    let readers = Readers::new();
    let source = Source::new(hanging.repository("app"));
    let wanted = Wanted::Branch("main".into());
    let listed = readers.workers.refs(&source, &wanted).await.expect("listed");
    let cache = readers.cache.path().canonicalize().expect("cache");
    let fetch = tokio::spawn({
        let (workers, source, listed) = (readers.workers.clone(), source.clone(), listed.clone());
        async move { workers.fetch(&source, &listed).await }
    });
    // The pack that comes half is an open file of the worker.
    eventually("a worker writes the pack", || !workers_in(&cache).is_empty()).await;
    for id in workers_in(&cache) {
        assert!(Command::new("kill").args(["-9", &id.to_string()]).status().expect("kill runs").success());
    }
    let failed = fetch.await.expect("joined").expect_err("its worker died");
    assert_eq!((failed.reason.as_str(), failed.fault), ("WorkerCrashed", Fault::Transient), "{failed}");
    let status = Command::new("curl").args(["-fsS", "-o", "/dev/null", &hanging.get("serve_url")]).status();
    assert!(status.expect("curl runs").success());
    let fetched = readers.workers.fetch(&source, &listed).await.expect("fetched by the next worker");
    assert_eq!(fetched.commit.commit, commit);
}

#[tokio::test]
async fn a_call_that_is_dropped_leaves_the_next_one_well() {
    let repositories = Repositories::new();
    repositories.create("app").push("first", &[("one.yaml", &config_map("one", "1"))]);
    let hanging = serve("hang", &["--root", &repositories.root(), "--at", "refs"]);
    let well = serve("git-http", &["--root", &repositories.root()]);
    let readers = Readers::with(|settings| settings.exchanges = 1);
    let slow = Source::new(hanging.repository("app"));
    let wanted = Wanted::Branch("main".into());
    let dropped = tokio::time::timeout(Duration::from_millis(500), readers.workers.refs(&slow, &wanted)).await;
    assert!(dropped.is_err(), "it hangs");
    readers.fetch(&Source::new(well.repository("app")), "main").await.expect("the one worker is free again");
}

#[tokio::test]
async fn rewritten_deleted_and_vanished_branches_are_told_and_lose_nothing() {
    let repositories = Repositories::new();
    let app = repositories.create("app");
    let first = app.push("first", &[("one.yaml", &config_map("one", "1"))]);
    let second = app.push("second", &[("one.yaml", &config_map("one", "2"))]);
    let server = serve("git-http", &["--root", &repositories.root()]);
    let source = Source::new(server.repository("app"));
    let readers = Readers::new();
    let workers = &readers.workers;
    let ancestry =
        async |accepted: &str, found: &Listed| workers.ancestry(&source, accepted, found).await.expect("told");
    readers.fetch(&source, "main").await.expect("fetched");
    workers.pin(&source.url, &Pins { accepted: [second.clone()].into() }).await.expect("pinned");

    app.git(&["reset", "-q", "--hard", &first]);
    app.git(&["push", "-q", "--force", "origin", "HEAD"]);
    let rewound = readers.fetch(&source, "main").await.expect("fetched");
    assert_eq!(rewound.revision.commit, first);
    assert_eq!(ancestry(&second, &rewound).await, Ancestry::Rewound);
    assert_eq!(ancestry(&first, &rewound).await, Ancestry::Same);

    let other = app.push("other", &[("one.yaml", &config_map("one", "3"))]);
    let diverged = readers.fetch(&source, "main").await.expect("fetched");
    assert_eq!(diverged.revision.commit, other);
    assert_eq!(ancestry(&second, &diverged).await, Ancestry::Diverged);
    assert_eq!(ancestry(&first, &diverged).await, Ancestry::Descends);
    assert_eq!(ancestry(&"7".repeat(40), &diverged).await, Ancestry::AcceptedGone);

    app.git(&["checkout", "-q", "--orphan", "fresh"]);
    let orphan = app.push("orphan", &[("one.yaml", &config_map("one", "4"))]);
    app.git(&["push", "-q", "--force", "origin", "HEAD:main"]);
    let orphaned = readers.fetch(&source, "main").await.expect("fetched");
    assert_eq!(orphaned.revision.commit, orphan);
    assert_eq!(ancestry(&second, &orphaned).await, Ancestry::Diverged);

    let reason = async || readers.refused(&source).await.reason;
    app.git(&["push", "-q", "origin", ":main"]);
    assert_eq!(reason().await, "RefNotFound");
    app.git(&["push", "-q", "origin", ":fresh"]);
    assert_eq!(reason().await, "EmptyRepository");
    fs::rename(&app.bare, app.bare.with_extension("away")).expect("renamed");
    assert_eq!(reason().await, "RepositoryNotFound");
    let name = server.get("name");
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("hack/lab");
    assert!(Command::new(lab).args(["down", "--name", &name]).output().expect("hack/lab runs").status.success());
    assert_eq!(reason().await, "ConnectFailed");
    // Whatever became of the remote, what was fetched is still there.
    let unknown = workers.render(&source.url, &"7".repeat(40), "", &Options::default()).await;
    assert_eq!(unknown.expect_err("never fetched").reason, "ConnectFailed");
    for commit in [&second, &orphan] {
        workers.render(&source.url, commit, "", &Options::default()).await.expect("rendered");
    }
}

#[tokio::test]
async fn a_cache_that_was_lost_asks_for_as_much_history_as_it_needs() {
    let repositories = Repositories::new();
    let app = repositories.create("app");
    let first = app.push("first", &[("one.yaml", &config_map("one", "0"))]);
    for n in 1..100 {
        app.commit(&n.to_string(), &[("one.yaml", &config_map("one", &n.to_string()))]);
    }
    app.push("last", &[]);
    let server = serve("git-http", &["--root", &repositories.root()]);
    let source = Source::new(server.repository("app"));
    let readers = Readers::new();
    let found = readers.fetch(&source, "main").await.expect("fetched");
    assert_eq!(readers.workers.ancestry(&source, &first, &found).await, Ok(Ancestry::Descends));
    let unknown = "7".repeat(40);
    assert_eq!(readers.workers.ancestry(&source, &unknown, &found).await, Ok(Ancestry::AcceptedGone));

    let readers = Readers::new();
    let mut bounded = source.clone();
    bounded.limits.history = 10;
    let found = readers.fetch(&bounded, "main").await.expect("fetched");
    assert_eq!(readers.workers.ancestry(&bounded, &first, &found).await, Ok(Ancestry::Unknown));
}

/// Files of the cache whose names end so.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found
}

/// Breaks a cached repository in one way.
type Breakage = fn(&Path);

#[tokio::test]
async fn a_broken_cache_is_set_aside_and_fetched_anew() {
    let truncate: Breakage = |cache| {
        for pack in files(cache, ".pack") {
            let mut bytes = fs::read(&pack).expect("pack");
            bytes.truncate(bytes.len() / 2);
            fs::remove_file(&pack).expect("removed");
            fs::write(&pack, bytes).expect("pack");
        }
    };
    let no_packs: Breakage = |cache| files(cache, ".pack").iter().for_each(|p| fs::remove_file(p).expect("removed"));
    let no_refs: Breakage = |cache| fs::remove_dir_all(cache.join("refs")).expect("removed");
    let bad_refs: Breakage = |cache| {
        for reference in files(&cache.join("refs/tandem"), "") {
            fs::write(reference, "garbage").expect("reference");
        }
    };
    let no_head: Breakage = |cache| fs::remove_file(cache.join("HEAD")).expect("removed");
    let no_marker: Breakage = |cache| fs::remove_file(cache.join("tandem-url")).expect("removed");
    let nothing: Breakage = |cache| fs::remove_dir_all(cache).expect("removed");
    let all = [
        ("truncated pack", truncate),
        ("no packs", no_packs),
        ("no refs", no_refs),
        ("bad refs", bad_refs),
        ("no HEAD", no_head),
        ("no marker", no_marker),
        ("nothing", nothing),
    ];
    let repositories = Repositories::new();
    let server = serve("git-http", &["--root", &repositories.root()]);
    for (n, (what, breakage)) in all.into_iter().enumerate() {
        let app = repositories.create(&format!("app{n}"));
        let first = app.push("first", &[("one.yaml", &config_map("one", "1")), ("noise.txt", &noise(1 << 16))]);
        let source = Source::new(server.repository(&format!("app{n}")));
        let readers = Readers::new();
        let listed = readers.fetch(&source, "main").await.expect("fetched");
        readers.workers.pin(&source.url, &Pins { accepted: [first.clone()].into() }).await.expect("pinned");
        let cached = readers.cached();
        assert_eq!(cached.len(), 1);
        breakage(&cached[0]);

        // Whoever meets it first has it mended, with the commit that is asked for.
        let rendered = readers.workers.render(&source.url, &first, "", &Options::default()).await;
        assert_eq!(rendered.unwrap_or_else(|e| panic!("{what}: {e}")).manifests.len(), 1, "{what}");
        readers.workers.fetch(&source, &listed).await.unwrap_or_else(|e| panic!("{what}: {e}"));
        let second = app.push("second", &[("one.yaml", &config_map("one", "2"))]);
        let found = readers.fetch(&source, "main").await.unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(found.revision.commit, second);
        assert_eq!(readers.workers.ancestry(&source, &first, &found).await, Ok(Ancestry::Descends), "{what}");
    }
}

#[tokio::test]
async fn packs_stay_bounded_and_accepted_commits_stay() {
    let repositories = Repositories::new();
    let app = repositories.create("app");
    let first = app.push("first", &[("one.yaml", &config_map("one", "0")), ("two.yaml", &config_map("two", "0"))]);
    let server = serve("git-http", &["--root", &repositories.root()]);
    let source = Source::new(server.repository("app"));
    let readers = Readers::new();
    let mut found = readers.fetch(&source, "main").await.expect("fetched");
    readers.workers.pin(&source.url, &Pins { accepted: [first.clone()].into() }).await.expect("pinned");
    let count = |ending| files(&readers.cached()[0].join("objects"), ending).len();
    let mut fell = false;
    for n in 0..35 {
        let before = count(".pack");
        app.push(&n.to_string(), &[("one.yaml", &config_map("one", &n.to_string()))]);
        found = readers.fetch(&source, "main").await.expect("fetched");
        fell |= count(".pack") < before;
    }
    assert!(fell && count(".pack") <= 30 && count(".idx") == count(".pack"), "{} packs", count(".pack"));
    for commit in [&first, &found.revision.commit] {
        let rendered = readers.workers.render(&source.url, commit, "", &Options::default()).await.expect("rendered");
        assert!(rendered.problems.is_empty(), "{:?}", rendered.problems);
    }
    assert_eq!(readers.workers.ancestry(&source, &first, &found).await, Ok(Ancestry::Descends));
    let pins = files(&readers.cached()[0].join("refs/tandem/fetched"), "").len();
    assert!(pins <= 30, "{pins} pins");
}

#[tokio::test]
async fn two_agents_may_share_a_cache() {
    let repositories = Repositories::new();
    let app = repositories.create("app");
    let commit = app.push("first", &[("one.yaml", &config_map("one", "1")), ("noise.txt", &noise(1 << 20))]);
    let server = serve("git-http", &["--root", &repositories.root()]);
    let source = Source::new(server.repository("app"));
    let readers = Readers::new();
    let others = Readers::with(|settings| settings.cache = readers.cache.path().to_owned());
    let (one, two, three) =
        tokio::join!(readers.fetch(&source, "main"), readers.fetch(&source, "main"), others.fetch(&source, "main"));
    for listed in [one, two, three] {
        assert_eq!(listed.expect("fetched").revision.commit, commit);
    }
    assert_eq!(files(readers.cache.path(), ".pack").len(), 1, "it was fetched once");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_worker_is_confined() {
    let repositories = Repositories::new();
    let app = repositories.create("app");
    let commit = app.push("first", &[("one.yaml", &config_map("one", "1"))]);
    let server = serve("git-http", &["--root", &repositories.root()]);
    let source = Source::new(server.repository("app"));
    let readers = Readers::new();
    let confined = |id: &u32| {
        let read = |name: &str| fs::read_to_string(format!("/proc/{id}/{name}")).expect("proc");
        assert!(read("status").contains("NoNewPrivs:\t1"));
        let limits = read("limits").split_whitespace().collect::<Vec<_>>().join(" ");
        for limit in ["Max core file size 0 0", "Max open files 512 512", "Max data size 536870912 536870912"] {
            assert!(limits.contains(limit), "{limits}");
        }
        let environment = read("environ");
        let names: Vec<_> =
            environment.split('\0').filter_map(|v| v.split('=').next()).filter(|n| !n.is_empty()).collect();
        assert!(names.iter().all(|n| ["HOME", "TMPDIR", "LANG"].contains(n) || n.contains("MALLOC")), "{names:?}");
    };
    readers.fetch(&source, "main").await.expect("fetched");
    let exchanges = readers.workers.idle_ids();
    assert_eq!(exchanges.len(), 1);
    exchanges.iter().for_each(confined);
    readers.workers.render(&source.url, &commit, "", &Options::default()).await.expect("rendered");
    let renders = readers.workers.idle_ids();
    assert!(renders.len() == 1 && renders != exchanges, "where one is started, the idle one of the other kind goes");
    renders.iter().for_each(confined);
    // What a link in the cache leads to is out of its reach.
    let outside = tempfile::TempDir::new().expect("folder");
    let cached = readers.cached().remove(0);
    let moved = outside.path().join("moved");
    fs::rename(&cached, &moved).expect("renamed");
    std::os::unix::fs::symlink(&moved, &cached).expect("linked");
    let failed = readers.workers.render(&source.url, &commit, "", &Options::default()).await;
    assert_eq!(failed.expect_err("Landlock refuses it").reason, "CacheFailed");
}

#[tokio::test]
async fn names_that_no_honest_tree_has_are_told_and_not_read() {
    let repositories = Repositories::new();
    let app = repositories.create("app");
    app.push("first", &[("one.yaml", &config_map("one", "1"))]);
    let blob = app.git(&["rev-parse", "HEAD:one.yaml"]);
    let evil =
        ["..", ".git", ".GiT", "git~1", "a\\b.yaml", ".git."].map(|name| format!("100644 blob {blob}\t{name}\0"));
    let links = format!("120000 blob {blob}\tlink.yaml\x00160000 commit {}\tmodule\0", "1".repeat(40));
    let listing = app.path.join("listing");
    fs::write(&listing, evil.concat() + &links + &format!("100644 blob {blob}\tgood.yaml\0")).expect("listing");
    let mut made = Command::new("git");
    made.args(["mktree", "-z", "--missing"]).current_dir(&app.path).stdin(fs::File::open(&listing).expect("listing"));
    let tree = made.output().expect("git runs");
    assert!(tree.status.success(), "{tree:?}");
    let tree = String::from_utf8(tree.stdout).expect("UTF-8").trim().to_owned();
    let commit = app.git(&["commit-tree", &tree, "-m", "evil"]);
    app.git(&["push", "-q", "--force", "origin", &format!("{commit}:refs/heads/main")]);
    let server = serve("git-http", &["--root", &repositories.root()]);
    let source = Source::new(server.repository("app"));
    let readers = Readers::new();
    readers.fetch(&source, "main").await.expect("fetched");
    let rendered = readers.workers.render(&source.url, &commit, "", &Options::default()).await.expect("rendered");
    let strange: Vec<_> = rendered.problems.iter().filter(|p| p.rule == "StrangeName").collect();
    assert_eq!(strange.len(), evil.len(), "{:?}", rendered.problems);
    assert!(!readers.cache.path().join("a").exists());
}

#[tokio::test]
async fn a_source_that_sends_too_much_is_refused() {
    let repositories = Repositories::new();
    let app = repositories.create("app");
    app.push("first", &[("noise.txt", &noise(1 << 20))]);
    let server = serve("git-http", &["--root", &repositories.root()]);
    let readers = Readers::new();
    let mut source = Source::new(server.repository("app"));
    source.limits.bytes = 100_000;
    let failed = readers.fetch(&source, "main").await.expect_err("too large");
    assert_eq!((failed.reason.as_str(), failed.fault), ("TooLarge", Fault::Repository), "{failed}");
    source.limits.bytes = 1 << 30;
    source.limits.objects = 1;
    let failed = readers.fetch(&source, "main").await.expect_err("too many");
    assert_eq!(failed.reason, "TooLarge", "{failed}");
    source.limits.objects = 1000;
    source.limits.listing_bytes = 10;
    assert_eq!(readers.refused(&source).await.reason, "TooLarge");
}

#[tokio::test]
async fn idle_workers_end() {
    let repositories = Repositories::new();
    repositories.create("app").push("first", &[("one.yaml", &config_map("one", "1"))]);
    let server = serve("git-http", &["--root", &repositories.root()]);
    let readers = Readers::with(|settings| settings.idle = Duration::from_millis(300));
    readers.fetch(&Source::new(server.repository("app")), "main").await.expect("fetched");
    assert_eq!(readers.workers.idle_ids().len(), 1);
    eventually("no worker is left", || readers.workers.idle_ids().is_empty()).await;
}

/// The content that takes most memory for its size: mappings of one name each.
#[tokio::test]
async fn content_at_the_limits_is_told_and_kills_no_worker() {
    let repositories = Repositories::new();
    let app = repositories.create("app");
    // A little below the limit on nodes of each file, of which each mapping takes three.
    let bomb = |name: u32| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a{name}}}\nlist:\n{}", "- a:\n".repeat(333_000))
    };
    let files: Vec<_> = (0..4).map(|n| (format!("bad/{n}.yaml"), bomb(n))).collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let commit = app.push("bombs", &files);
    let server = serve("git-http", &["--root", &repositories.root()]);
    let source = Source::new(server.repository("app"));
    let readers = Readers::with(|settings| settings.render_timeout = Duration::from_secs(120));
    readers.fetch(&source, "main").await.expect("fetched");
    let rendered = readers.workers.render(&source.url, &commit, "bad", &Options::agent()).await.expect("rendered");
    let rules: Vec<_> = rendered.problems.iter().map(|problem| problem.rule.as_str()).collect();
    assert_eq!(rules, ["LimitExceeded"]);
    assert!(rendered.problems[0].message.contains("memory"), "{}", rendered.problems[0]);
}

#[tokio::test]
async fn content_that_needs_too_much_memory_or_time_ends_its_worker_alone() {
    let repositories = Repositories::new();
    let app = repositories.create("app");
    // A million scalars: small to send, and within the limits on bytes and nodes.
    let list = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\nlist: [{}1]\n", "1,".repeat(1_500_000));
    let commit = app.push("first", &[("good/one.yaml", &config_map("one", "1")), ("bad/list.yaml", &list)]);
    let server = serve("git-http", &["--root", &repositories.root()]);
    let source = Source::new(server.repository("app"));

    let readers = Readers::with(|settings| settings.memory_bytes = 96 << 20);
    readers.fetch(&source, "main").await.expect("fetched");
    let render = async |readers: &Readers, path: &str| {
        readers.workers.render(&source.url, &commit, path, &Options::default()).await.map(|r| r.manifests.len())
    };
    let failed = render(&readers, "bad").await.expect_err("too much memory");
    assert_eq!((failed.reason.as_str(), failed.fault), ("WorkerCrashed", Fault::Transient), "{failed}");
    assert_eq!(render(&readers, "good").await, Ok(1));

    // Who gave it too little time ends it, and who stood behind it has all of its own.
    let patient = Readers::with(|settings| settings.idle = Duration::from_secs(60));
    patient.fetch(&source, "main").await.expect("fetched");
    let (at, options) = (At::Commit(commit.clone()), Options::default());
    let within = async |path: &str, limit: Duration| {
        let mut bound = Bound::of(limit);
        let clock = Instant::now();
        let folder = Folder { url: &source.url, at: &at, path };
        (patient.workers.render_at(folder, &options, &mut bound).await, clock.elapsed())
    };
    assert_eq!(within("good", Duration::from_secs(60)).await.0.expect("rendered").manifests.len(), 1);
    let warm = patient.workers.idle_ids();
    let short = Duration::from_millis(1500);
    let (too_slow, behind) = futures::future::join(within("bad", short), within("good", short)).await;
    let failed = too_slow.0.expect_err("too slow for its bound");
    assert_eq!((failed.reason.as_str(), failed.fault), ("RenderTimeout", Fault::Cluster), "{failed}");
    let (rendered, waited) = behind;
    assert_eq!(rendered.expect("it has waited, and not been slow").manifests.len(), 1);
    assert!(waited >= short, "{waited:?}: it stood behind the other");
    let now = patient.workers.idle_ids();
    assert!(warm.iter().all(|id| !now.contains(id)), "{warm:?} {now:?}: what was too slow is replaced");

    let hasty = Readers::with(|settings| settings.render_timeout = Duration::from_millis(300));
    hasty.fetch(&source, "main").await.expect("fetched");
    let failed = render(&hasty, "bad").await.expect_err("too much time");
    assert_eq!((failed.reason.as_str(), failed.fault), ("WorkerTimeout", Fault::Transient), "{failed}");
}

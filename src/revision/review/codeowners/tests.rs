//! Attacks on the verdict, each beside what is the same and honest; and what a line means on each forge.

use super::*;
use crate::revision::review::judge::{self, tests::by};
use crate::revision::review::{Account, Approval, Authorship, Maker, OWNERS_FILE, Profile, Settings, Step, Verdict};

const FILE: &str = "
# everybody
* @Dana
/shop/ @devi   # the shop
/shop/free/
/teams/ @org/team ada@example.com
/both/ @org/team @devi
";

fn read(dialect: Dialect, text: &str) -> CodeOwners {
    CodeOwners::read(dialect, dialect.places()[0], text.as_bytes()).unwrap_or_else(|wrong| panic!("{wrong:?}"))
}

fn account(id: u64) -> Account {
    Account { forge: "forge.example".into(), id }
}

fn step(paths: &[&str]) -> Step {
    Step { makers: BTreeSet::from([Maker::Account(account(9))]), ..judge::tests::step(paths) }
}

/// Who approves, and what is known of them: 1 is dana, 2 devi, 3 somebody who may write, 9 made it.
struct Case {
    step: Step,
    approvals: Vec<Approval>,
    logins: BTreeMap<Account, String>,
    first: BTreeMap<String, u64>,
    settings: Settings,
    owners: CodeOwners,
}

fn case(paths: &[&str], approvals: &[u64]) -> Case {
    let logins = [(1, "DANA"), (2, "devi"), (3, "wil"), (9, "ada")];
    Case {
        step: step(paths),
        approvals: approvals.iter().map(|id| by(*id)).collect(),
        logins: logins.iter().map(|(id, login)| (account(*id), (*login).to_owned())).collect(),
        first: BTreeMap::new(),
        settings: Profile::Reviewed.settings(),
        owners: read(Dialect::GitHub, FILE),
    }
}

fn changed(mut case: Case, change: impl FnOnce(&mut Case)) -> Case {
    change(&mut case);
    case
}

impl Case {
    fn verdict(&self) -> Verdict {
        let logins = Logins { now: &self.logins, first: &self.first };
        let now = "2026-11-30T06:00:00Z".parse().expect("a time");
        judge_by_code_owners(&self.step, &self.approvals, (&self.owners, logins), &self.settings, now)
    }
}

#[test]
fn each_attack_is_refused_by_its_words_and_its_twin_passes() {
    let owned = || case(&["shop/a.yaml"], &[2]);
    let sensitive = |case: &mut Case| {
        case.step.sensitive.insert("shop/a.yaml".into(), "it speaks of RBAC".into());
    };
    let rows: Vec<(&str, Case, &str, Case)> = vec![
        ("somebody who may write, and is not named", case(&["shop/a.yaml"], &[3]), ".github/CODEOWNERS:4", owned()),
        ("the owner of another path", case(&["shop/a.yaml"], &[1]), "@devi; there are 0", owned()),
        (
            "one of two paths is somebody else's",
            case(&["shop/a.yaml", "b.yaml"], &[2]),
            "b.yaml needs 1 approval of those whom .github/CODEOWNERS:3 names: @dana",
            case(&["shop/a.yaml", "b.yaml"], &[2, 1]),
        ),
        ("who made it", changed(owned(), |case| case.approvals = vec![by(9), by(3)]), "(OwnWork)", owned()),
        (
            "an owner who made it",
            changed(owned(), |case| case.step.makers = BTreeSet::from([Maker::Account(account(2))])),
            "@devi had a hand in it themselves (OwnWork)",
            owned(),
        ),
        ("nobody", case(&["shop/a.yaml"], &[]), "there are 0 of 1", owned()),
        (
            "nobody, where the line names nobody",
            case(&["shop/free/a"], &[]),
            "there are 0 of 1",
            case(&["shop/free/a"], &[3]),
        ),
        ("what needs operations", changed(owned(), sensitive), "gives nobody a role", owned()),
        (
            "an owners file of somebody's own",
            changed(case(&[OWNERS_FILE], &[1, 2]), |case| {
                case.step.sensitive.insert(OWNERS_FILE.into(), "it says what everybody may do".into());
            }),
            "1 approval as ops, for it says what everybody may do, and .github/CODEOWNERS gives nobody a role",
            case(&["b.yaml"], &[1, 2]),
        ),
        ("a commit without changes", case(&[], &[1, 2]), "a commit without changes needs 1 approval as ops", owned()),
        (
            "what Strict asks",
            changed(owned(), |case| case.settings = Profile::Strict.settings()),
            "needs 1 approval as dev and 1 approval as ops, and .github/CODEOWNERS gives nobody a role",
            owned(),
        ),
        (
            "authors who are not proven",
            changed(owned(), |case| case.step.authorship = Authorship::Claimed),
            "there are 1 of 2",
            changed(case(&["shop/a.yaml"], &[2, 3]), |case| case.step.authorship = Authorship::Claimed),
        ),
        (
            "a team and an address",
            case(&["teams/a"], &[1, 2, 3]),
            "@org/team (a team, which never counts), ada@example.com (an address, which never counts); there are 0",
            case(&["both/a"], &[2]),
        ),
        (
            "an account whose login is not known",
            changed(owned(), |case| {
                case.logins.remove(&account(2));
            }),
            "there are 0",
            owned(),
        ),
        (
            "a login that only looks the same",
            changed(case(&["kim/a"], &[3]), |case| {
                case.owners = read(Dialect::GitHub, "/kim/ @kim\n");
                case.logins.insert(account(3), "\u{212a}im".into());
            }),
            "@kim; there are 0",
            changed(case(&["kim/a"], &[3]), |case| {
                case.owners = read(Dialect::GitHub, "/kim/ @kim\n");
                case.logins.insert(account(3), "KIM".into());
            }),
        ),
        (
            "a login that somebody took over",
            changed(owned(), |case| case.first = BTreeMap::from([("devi".into(), 7)])),
            "@devi has a login that was another account's when it first counted (LoginMoved)",
            changed(owned(), |case| case.first = BTreeMap::from([("devi".into(), 2)])),
        ),
        (
            "a login that two have at once",
            changed(case(&["shop/a.yaml"], &[2, 3]), |case| {
                case.logins.insert(account(3), "Devi".into());
            }),
            "(LoginMoved)",
            case(&["shop/a.yaml"], &[2, 3]),
        ),
        (
            "an approval of another commit",
            changed(owned(), |case| case.approvals[0].head = "x".into()),
            "there are 0",
            owned(),
        ),
    ];
    for (name, attack, words, twin) in rows {
        let verdict = attack.verdict();
        assert!(!verdict.is_approved(), "{name}");
        assert!(verdict.told().contains(words), "{name}: {}", verdict.told());
        let verdict = twin.verdict();
        assert!(verdict.is_approved(), "the twin of {name}: {}", verdict.told());
    }
}

#[test]
fn the_file_itself_is_never_nobodys_wherever_it_is_looked_for() {
    for path in Dialect::GitHub.places() {
        let text = "/shop/ @devi\n/docs/\n";
        let with = |approvals: &[u64]| {
            changed(case(&[path], approvals), |case| case.owners = read(Dialect::GitHub, text)).verdict()
        };
        assert!(with(&[3]).told().contains("of those whom .github/CODEOWNERS names: @devi"), "{path}");
        assert!(with(&[2]).is_approved(), "{path}");
    }
    let elsewhere = changed(case(&["docs/a"], &[3]), |case| case.owners = read(Dialect::GitHub, "/shop/ @devi\n"));
    assert!(elsewhere.verdict().is_approved());
}

#[test]
fn whose_login_counted_is_told_and_nobody_elses() {
    let both = case(&["shop/a.yaml", "b.yaml"], &[1, 2, 3]).verdict();
    assert_eq!(both.logins, BTreeMap::from([("dana".into(), 1), ("devi".into(), 2)]));
    let by: Vec<_> = both.by.iter().map(|vote| vote.person.as_str()).collect();
    assert_eq!(by, ["@DANA", "@devi", "@wil"]);
    assert!(both.by.iter().all(|vote| vote.role.is_none()));
}

/// The lines that ask of a path, with how many of whom.
fn asked(owners: &CodeOwners, path: &str) -> Vec<(Option<u32>, usize, Vec<String>)> {
    let everybody = owners.everybody();
    let told = |ask: Ask<'_>| (ask.line, ask.count, ask.owners.iter().map(ToString::to_string).collect());
    owners.asks(path, &everybody).into_iter().map(told).collect()
}

#[test]
fn patterns_mean_what_they_mean_on_each_forge() {
    use Dialect::{GitHub, GitLab, Gitea};
    let rows: &[(Dialect, &str, &[&str], &[&str])] = &[
        (GitHub, "*", &["a", "a/b", "a/\nb"], &[]),
        (GitHub, "*.js", &["a.js", "b/a.js"], &["a.jsx"]),
        (GitHub, "/build/logs/", &["build/logs/a", "build/logs/a/b"], &["a/build/logs/a", "build/logs"]),
        (GitHub, "docs/*", &["docs/a.md"], &["docs/a/b.md", "x/docs/a.md"]),
        (GitHub, "apps/", &["apps/a", "x/apps/a/b"], &["apps", "myapps/a"]),
        (GitHub, "/apps", &["apps", "apps/a"], &["x/apps", "apps2"]),
        (GitHub, "**/logs", &["logs/a", "x/y/logs/a"], &["x/mylogs/a"]),
        (GitHub, "/a/**/z", &["a/z", "a/b/c/z"], &["b/a/z", "az"]),
        (GitHub, "/a/**", &["a/b", "a/b/c"], &["b/a"]),
        (GitHub, "**/", &["a", "a/b"], &[]),
        (GitHub, "/a/**/", &["a/b", "a/b/c"], &["b/a"]),
        (GitHub, r"/a\ b?c", &["a bxc"], &["a b/c", "a bc"]),
        (GitHub, "/Shop/", &["Shop/a"], &["shop/a"]),
        (GitHub, "/a.b", &["a.b"], &["axb"]),
        (GitLab, "*", &["a", "a/b/c"], &[]),
        (GitLab, "README.md", &["README.md", "a/README.md"], &["README.md/a", "xREADME.md"]),
        (GitLab, "/docs", &["docs"], &["docs/a"]),
        (GitLab, "/docs/", &["docs/a", "docs/a/b"], &["x/docs/a"]),
        (GitLab, "docs/", &["docs/a", "x/docs/a/b"], &["docs"]),
        (GitLab, "/docs/*", &["docs/a", "docs/.a"], &["docs/a/b"]),
        (GitLab, "/docs/**/*.md", &["docs/a.md", "docs/b/c/a.md"], &["a.md"]),
        (GitLab, "docs/*.md", &["docs/a.md", "x/docs/a.md"], &["docs/x/a.md"]),
        (Gitea, r"/docs/.*\\.md", &["docs/a.md", "docs/b/a.md", "docs/a\nb.md"], &["docs/axmd", "x/docs/a.md"]),
        (Gitea, "docs", &["docs"], &["docs/a"]),
        (Gitea, "!docs/.*", &["a", "x/docs/a"], &["docs/a"]),
    ];
    for (dialect, pattern, fit, others) in rows {
        let owners = read(*dialect, &format!("{pattern} @dana\n"));
        for path in *fit {
            assert_eq!(asked(&owners, path).len(), 1, "{dialect:?}: {pattern} fits {path}");
        }
        for path in *others {
            assert_eq!(asked(&owners, path), [], "{dialect:?}: {pattern} does not fit {path}");
        }
    }
}

#[test]
fn which_of_several_lines_counts_is_for_the_forge() {
    let lines = "/a/ @dana\n/a/b/ @devi\n/a/b/c/\n";
    let of = |line: u32, who: &str| (Some(line), 1, vec![who.to_owned()]);
    let github = read(Dialect::GitHub, lines);
    assert_eq!(asked(&github, "a/x"), [of(1, "@dana")]);
    assert_eq!(asked(&github, "a/b/x"), [of(2, "@devi")]);
    assert_eq!(asked(&github, "a/b/c/x"), [], "a line without owners asks nothing");

    let gitea = read(Dialect::Gitea, "a/.* dana\na/b/.* @Devi @org/team # both\n");
    let both = (Some(2), 1, vec!["@devi".to_owned(), "@org/team (a team, which never counts)".to_owned()]);
    assert_eq!(asked(&gitea, "a/b/x"), [of(1, "@dana"), both]);

    let sections = "
* @dana
[Shop][2] @devi @olga
/shop/
/shop/own/ @omar
^[Docs] @wil
*.md
[shop][2]
/shop/none/
";
    let gitlab = read(Dialect::GitLab, sections);
    let two = |line: u32, who: &[&str]| (Some(line), 2, who.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
    assert_eq!(asked(&gitlab, "a"), [of(2, "@dana")]);
    assert_eq!(asked(&gitlab, "shop/a.md"), [of(2, "@dana"), two(4, &["@devi", "@olga"])]);
    assert_eq!(asked(&gitlab, "shop/own/a"), [of(2, "@dana"), two(5, &["@omar"])]);
    assert_eq!(asked(&gitlab, "shop/none/a"), [of(2, "@dana")]);
}

#[test]
fn two_of_a_section_are_two_people() {
    let owners = || read(Dialect::GitLab, "[Shop][2]\n/shop/ @dana @devi\n");
    let with = |approvals: &[u64]| changed(case(&["shop/a"], approvals), |case| case.owners = owners()).verdict();
    assert!(
        with(&[2, 3]).told().contains("needs 2 approvals of those whom CODEOWNERS:2 names: @dana, @devi; there are 1")
    );
    assert!(with(&[2, 1]).is_approved());
}

#[test]
fn what_cannot_be_meant_so_is_named_by_its_line() {
    use Dialect::{GitHub, GitLab, Gitea};
    for (dialect, line, words) in [
        (GitHub, "!/a @dana", "takes out again"),
        (GitHub, "/[ab] @dana", "has a range"),
        (GitHub, "/a*** @dana", "two stars beside something else"),
        (GitHub, "/a**b/ @dana", "two stars beside something else"),
        (GitHub, "/ @dana", "fits nothing"),
        (GitHub, "/a//b @dana", "fits nothing"),
        (GitLab, "a/** @dana", "ends with two stars"),
        (GitHub, "/a dana", "\"dana\" is no owner"),
        (GitHub, "/a @", "is no owner"),
        (GitHub, "/a @da#na", "is no owner"),
        (GitHub, "/a\\", "ends with a backslash"),
        (GitHub, "[Shop]", "sections are GitLab's alone"),
        (GitHub, "^[Shop]", "sections are GitLab's alone"),
        (GitLab, "!/a @dana", "takes out again"),
        (GitLab, "/a @dana # why", "no comments at the end of a line"),
        (GitLab, "[Shop", "is no heading"),
        (GitLab, "[]", "is no heading"),
        (GitLab, "[Shop][0]", "of how many?"),
        (GitLab, "[Shop][two]", "of how many?"),
        (GitLab, "[Shop]x", "is no heading"),
        (GitLab, "[One]\n[one][2]", "stands twice"),
        (Gitea, "a( @dana", "cannot be read"),
        (Gitea, "a(?=b) @dana", "cannot be read"),
        (Gitea, "(a{1000}){1000} @dana", "cannot be read"),
    ] {
        let text = format!("# first\n* @dana\n{line}\n");
        let text = if dialect == Gitea { text.replace("* @", ".* @") } else { text };
        let wrong = CodeOwners::read(dialect, "CODEOWNERS", text.as_bytes()).expect_err(line);
        assert_eq!(wrong.len(), 1, "{line}: {wrong:?}");
        assert!(wrong[0].to_string().contains(words), "{line}: {}", wrong[0]);
        assert_eq!(wrong[0].line, Some(2 + u32::try_from(line.lines().count()).expect("few")), "{line}");
    }
    for text in ["", "# nobody\n", "/a\n", "* @org/team\n", "* ada@example.com\n"] {
        let wrong = CodeOwners::read(GitHub, "CODEOWNERS", text.as_bytes()).expect_err(text);
        assert!(wrong[0].to_string().contains("names nobody whose approval counts"), "{text}: {}", wrong[0]);
    }
    assert!(CodeOwners::read(GitHub, "CODEOWNERS", b"* @dana \xff\n").is_err());
    read(GitHub, "\u{feff}* @dana\r\n\r\n#\r\n/a @x @y/z v@w.example\r\n");
}

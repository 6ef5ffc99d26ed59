use jiff::Timestamp;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey};

use super::note::{self, NAMESPACE, Statement, Wanted};
use super::{FILE, Flaw, Lines, read};

fn lines(covered: u64, instrumented: u64) -> Lines {
    Lines { covered, instrumented }
}

#[test]
fn lines_are_counted_once_whatever_tool_wrote_them() {
    let lcov = |body: &str| format!("TN:all\nSF:/src/a.rs\n{body}end_of_record\n");
    let class = |body: &str| {
        format!(
            "<?xml version=\"1.0\" ?>\n<!DOCTYPE coverage SYSTEM \"http://cobertura.sourceforge.net/xml/coverage-04.dtd\">\n\
             <coverage line-rate=\"0.5\"><sources><source>/src &amp; more</source></sources><packages><package><classes>\
             <class filename=\"a.py\" name=\"a\">{body}</class></classes></package></packages></coverage>"
        )
    };
    let line = |number: u32, hits: &str| format!("<line number=\"{number}\" hits=\"{hits}\"/>");
    for (file, expected) in [
        (lcov("FN:1,main\nDA:1,4\nDA:2,0\nDA:3,1,checksum\nLF:3\nLH:2\nVER:7\n"), lines(2, 3)),
        (lcov("DA:1,0\nDA:1,2\nDA:2,0\n"), lines(1, 2)),
        // llvm-cov counts lines twice in its sums, and has counts that fit into no integer.
        (lcov("DA:1,18446744073709551616\nDA:2,0\nLF:4\nLH:2\n"), lines(1, 2)),
        (lcov("LF:4\nLH:3\n"), lines(3, 4)),
        (lcov("DA:1,0\n") + &lcov("DA:1,1\nDA:2,0\n"), lines(1, 2)),
        (lcov("DA:1,1\n") + "SF:b.rs\nDA:1,0\nend_of_record\n", lines(1, 2)),
        (lcov("DA:1,1\n").replace('\n', "\r\n"), lines(1, 1)),
        (format!("\u{feff}{}", lcov("DA:1,1\n")), lines(1, 1)),
        (class(&format!("<methods/><lines>{}{}</lines>", line(1, "3"), line(2, "0"))), lines(1, 2)),
        (
            class(&format!(
                "<methods><method><lines>{}</lines></method></methods><lines>{}{}</lines>",
                line(1, "3"),
                line(1, "3"),
                line(2, "0")
            )),
            lines(1, 2),
        ),
        (
            "<coverage lines-covered='7' lines-valid='8' line-rate='0.875'><packages/></coverage>".to_owned(),
            lines(7, 8),
        ),
    ] {
        assert_eq!(read(file.as_bytes()), Ok(expected), "{file}");
    }
    assert_eq!(lines(79_999, 100_000).to_string(), "79.99% (79999 of 100000 lines)");
    assert_eq!(lines(u64::MAX, u64::MAX).hundredths(), 10_000);
}

/// Each file is refused for the flaw that is named, and its twin, in which only that is mended, is read.
#[test]
fn a_file_that_cannot_be_is_refused_by_its_flaw_and_its_twin_is_read() {
    use Flaw::{CoverageEmpty, CoverageImpossible, CoverageMalformed, CoverageTooLarge};
    let nested = |depth: usize| {
        format!(
            "<coverage lines-covered='1' lines-valid='2'>{}{}</coverage>",
            "<a>".repeat(depth),
            "</a>".repeat(depth)
        )
    };
    let report = |root: &str, body: &str| format!("<coverage {root}><class filename='a'>{body}</class></coverage>");
    let one = "<line number='1' hits='1'/>";
    let dtd = |inner: &str| format!("<!DOCTYPE coverage {inner}>{}", report("", one));
    let bomb = "[<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]";
    let many = |count: usize| {
        let attributes: String = (0..count).map(|at| format!(" a{at}=''")).collect();
        report("", &format!("<line number='1' hits='1'{attributes}/>"))
    };
    let text = str::to_owned;
    for (file, flaw, twin) in [
        (
            text("SF:a\nLF:100\nLH:101\nend_of_record\n"),
            CoverageImpossible,
            text("SF:a\nLF:100\nLH:100\nend_of_record\n"),
        ),
        // Also where the lines would tell better.
        (
            text("SF:a\nDA:1,1\nLF:1\nLH:2\nend_of_record\n"),
            CoverageImpossible,
            text("SF:a\nDA:1,1\nLF:2\nLH:2\nend_of_record\n"),
        ),
        (
            format!("SF:a\nLF:{0}\nLH:{0}\nend_of_record\nSF:b\nLF:1\nLH:1\nend_of_record\n", u64::MAX),
            CoverageImpossible,
            format!("SF:a\nLF:{0}\nLH:{0}\nend_of_record\n", u64::MAX),
        ),
        (
            text("SF:a\nLF:99999999999999999999\nend_of_record\n"),
            CoverageMalformed,
            text("SF:a\nLF:9\nend_of_record\n"),
        ),
        (text("SF:a\nLH:1\nend_of_record\n"), CoverageImpossible, text("SF:a\nLF:1\nLH:1\nend_of_record\n")),
        (report("line-rate='1.01'", one), CoverageImpossible, report("line-rate='1.0'", one)),
        (report("line-rate='NaN'", one), CoverageImpossible, report("line-rate='0'", one)),
        (
            text("<coverage lines-covered='101' lines-valid='100'/>"),
            CoverageImpossible,
            text("<coverage lines-covered='100' lines-valid='100'/>"),
        ),
        (text(""), CoverageEmpty, text("SF:a\nDA:1,0\nend_of_record\n")),
        (text("all is well, 100%\n"), CoverageEmpty, text("all is well\nSF:a\nDA:1,0\nend_of_record\n")),
        (text("SF:a\nLF:0\nLH:0\nend_of_record\n"), CoverageEmpty, text("SF:a\nLF:1\nLH:0\nend_of_record\n")),
        (text("<coverage line-rate='1'/>"), CoverageEmpty, report("line-rate='1'", one)),
        (text("SF:a\nDA:1,1\n"), CoverageMalformed, text("SF:a\nDA:1,1\nend_of_record\n")),
        (text("DA:1,1\n"), CoverageMalformed, text("SF:a\nDA:1,1\nend_of_record\n")),
        (text("SF:a\nSF:b\nDA:1,1\nend_of_record\n"), CoverageMalformed, text("SF:b\nDA:1,1\nend_of_record\n")),
        (text("SF:a\nDA:1,-1\nend_of_record\n"), CoverageMalformed, text("SF:a\nDA:1,1\nend_of_record\n")),
        (
            text("SF:a\nDA:4294967296,1\nend_of_record\n"),
            CoverageMalformed,
            text("SF:a\nDA:4294967295,1\nend_of_record\n"),
        ),
        (dtd(bomb), CoverageMalformed, dtd("SYSTEM 'coverage-04.dtd'")),
        (report("", &format!("{one}&b;")), CoverageMalformed, report("", &format!("{one}b"))),
        (nested(40), CoverageMalformed, nested(20)),
        (report("", "<line number='1' hits='0' hits='1'/>"), CoverageMalformed, report("", one)),
        (report("", "<line number='1'/>"), CoverageMalformed, report("", one)),
        (report("", one).replace(" filename='a'", ""), CoverageMalformed, report("", one)),
        (format!("<report>{one}</report>"), CoverageMalformed, report("", one)),
        (format!("{}<coverage/>", report("", one)), CoverageMalformed, report("", one)),
        (report("", one).replace("</coverage>", ""), CoverageMalformed, report("", one)),
        (report("", one).replace("</class>", "</clas>"), CoverageMalformed, report("", one)),
        (report("", &format!("<class filename='b'>{one}</class>")), CoverageMalformed, report("", one)),
        (format!("SF:a\nDA:1,1\nend_of_record\n{}", " ".repeat(FILE)), CoverageTooLarge, many(100_000)),
    ] {
        let shown: String = file.chars().take(300).collect();
        assert_eq!(read(file.as_bytes()).map_err(|refused| refused.flaw), Err(flaw), "{shown}");
        let shown: String = twin.chars().take(300).collect();
        assert!(read(twin.as_bytes()).is_ok(), "{shown}: {:?}", read(twin.as_bytes()));
    }
    assert_eq!(read(b"SF:\xff\nDA:1,1\nend_of_record\n").map_err(|refused| refused.flaw), Err(CoverageMalformed));
}

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

const REPOSITORY: &str = "forge.example/shop/app";
const GOOD: &str = "SF:a\nDA:1,1\nDA:2,1\nDA:3,1\nDA:4,1\nDA:5,0\nend_of_record\n";
const BAD: &str = "SF:a\nDA:1,1\nDA:2,0\nend_of_record\n";

fn commit() -> String {
    "a".repeat(40)
}

fn statement(file: &str) -> Statement {
    Statement::of(file.as_bytes(), REPOSITORY.to_owned(), commit(), "coverage".to_owned(), at("2026-11-30T06:00:00Z"))
}

fn signed(key: &PrivateKey, namespace: &str, text: &str) -> String {
    let signature = key.sign(namespace, HashAlg::Sha512, text.as_bytes()).expect("signs");
    signature.to_pem(LineEnding::LF).expect("PEM")
}

fn note(statement: &Statement, file: &str) -> Vec<u8> {
    added_to(b"", statement, file)
}

fn added_to(note: &[u8], statement: &Statement, file: &str) -> Vec<u8> {
    note::added(note, statement, &signed(&key(1), NAMESPACE, &statement.text()), file.as_bytes())
}

fn judged(note: &[u8]) -> note::Read {
    let listed = [key(1).public_key().to_openssh().expect("a line"), key(2).public_key().to_openssh().expect("a line")];
    let commit = commit();
    let wanted = Wanted { repository: REPOSITORY, commit: &commit, context: "coverage" };
    note::read(note, wanted, &note::trust(&listed).expect("keys"), at("2026-11-30T07:00:00Z"))
}

fn flaws(note: &[u8]) -> Vec<Flaw> {
    judged(note).refused.iter().map(|refused| refused.flaw).collect()
}

/// Each note is refused for the flaw that is named; the twin of all is the honest note that comes first.
#[test]
fn each_attack_on_a_note_is_refused_by_its_name_and_its_twin_counts() {
    let honest = statement(GOOD);
    let counted = judged(&note(&honest, GOOD));
    assert_eq!(counted.newest, Some((honest.at, Ok(lines(4, 5)))), "the twin");
    assert_eq!(counted.refused, []);
    let by = |key: &PrivateKey, namespace: &str| {
        note::added(b"", &honest, &signed(key, namespace, &honest.text()), GOOD.as_bytes())
    };
    assert_eq!(judged(&by(&key(2), NAMESPACE)).newest.map(|(at, _)| at), Some(honest.at), "any listed key");
    let other = |change: &dyn Fn(&mut Statement)| {
        let mut statement = honest.clone();
        change(&mut statement);
        note(&statement, GOOD)
    };
    let text =
        |from: &str, to: &str| String::from_utf8(note(&honest, GOOD)).expect("text").replacen(from, to, 1).into_bytes();
    for (what, note, flaw) in [
        ("a key that is not listed", by(&key(3), NAMESPACE), Flaw::NoteUnsigned),
        ("a signature for an approval", by(&key(1), "approval@tandemcd.io"), Flaw::NoteUnsigned),
        ("a signature of a commit", by(&key(1), "git"), Flaw::NoteUnsigned),
        ("moved from another commit", other(&|s| s.commit = "b".repeat(40)), Flaw::OtherCommit),
        ("the commit in it rewritten", text(&"a".repeat(40), &"b".repeat(40)), Flaw::NoteUnsigned),
        ("of another repository", other(&|s| s.repository = "forge.example/eve/app".to_owned()), Flaw::OtherRepository),
        ("another file of the same length", text("DA:5,0", "DA:5,1"), Flaw::FileSwapped),
        (
            "another file and its digest",
            note::added(b"", &statement(BAD), &signed(&key(1), NAMESPACE, &honest.text()), BAD.as_bytes()),
            Flaw::NoteUnsigned,
        ),
        ("a longer file", text("end_of_record", "DA:6,1\nend_of_record"), Flaw::FileSwapped),
        ("a file that is cut off", note(&honest, GOOD)[..note(&honest, GOOD).len() - 20].to_vec(), Flaw::NoteMalformed),
        ("no signature", text("-----END SSH SIGNATURE-----", ""), Flaw::NoteMalformed),
        ("a file alone", GOOD.as_bytes().to_vec(), Flaw::NoteMalformed),
        ("from the future", other(&|s| s.at = at("2026-11-30T08:00:00Z")), Flaw::TimeImplausible),
    ] {
        let judged = judged(&note);
        assert_eq!(judged.newest, None, "{what}");
        assert!(flaws(&note).contains(&flaw), "{what}: {:?}", judged.refused);
    }
    // Of another check it says nothing, and is nothing wrong.
    assert_eq!(judged(&other(&|s| s.context = "frontend".to_owned())), note::Read::default());
    // What CI itself signed and cannot be is no older file's turn.
    let impossible = "SF:a\nLF:100\nLH:101\nend_of_record\n";
    let empty = "SF:a\nLF:0\nLH:0\nend_of_record\n";
    for (file, flaw) in [(impossible, Flaw::CoverageImpossible), (empty, Flaw::CoverageEmpty)] {
        let newer = Statement { at: at("2026-11-30T06:30:00Z"), ..statement(file) };
        let whole = [note(&honest, GOOD), note(&newer, file)].concat();
        let (when, said) = judged(&whole).newest.expect("the newest");
        assert_eq!((when, said.map_err(|refused| refused.flaw)), (newer.at, Err(flaw)));
    }
}

#[test]
fn of_two_notes_the_newest_counts_and_of_equals_the_lesser() {
    let (good, bad) = (statement(GOOD), statement(BAD));
    let later = |statement: &Statement| Statement { at: at("2026-11-30T06:00:01Z"), ..statement.clone() };
    let both = |one: (&Statement, &str), two: (&Statement, &str)| {
        let whole = [note(one.0, one.1), note(two.0, two.1)].concat();
        judged(&whole).newest.expect("the newest").1
    };
    for (one, two, expected) in [
        ((&good, GOOD), (&later(&bad), BAD), lines(1, 2)),
        ((&later(&bad), BAD), (&good, GOOD), lines(1, 2)),
        ((&bad, BAD), (&later(&good), GOOD), lines(4, 5)),
        ((&good, GOOD), (&bad, BAD), lines(1, 2)),
        ((&bad, BAD), (&good, GOOD), lines(1, 2)),
    ] {
        assert_eq!(both(one, two), Ok(expected));
    }
    // The command line puts a file in the place of the one before, and leaves other checks alone.
    let frontend = Statement { context: "frontend".to_owned(), ..statement(BAD) };
    let whole = added_to(&added_to(&note(&frontend, BAD), &bad, BAD), &good, GOOD);
    assert_eq!(judged(&whole).newest, Some((good.at, Ok(lines(4, 5)))));
    assert_eq!(whole, [note(&frontend, BAD), note(&good, GOOD)].concat());
    // What somebody else wrote into the note hides nothing before it.
    let spoilt = [note(&good, GOOD), b"tandem coverage v1\nnonsense".to_vec()].concat();
    assert_eq!(judged(&spoilt).newest, Some((good.at, Ok(lines(4, 5)))));
    assert_eq!(flaws(&spoilt), [Flaw::NoteMalformed]);
}

#[test]
fn a_statement_has_one_form_and_keys_are_keys_alone() {
    let text = statement(GOOD).text();
    assert_eq!(Statement::parse(&text), Some(statement(GOOD)), "{text}");
    for (from, to) in [
        ("coverage v1", "coverage v2"),
        ("bytes ", "bytes 0"),
        ("06:00:00Z", "06:00:00+00:00"),
        ("commit ", "commit  "),
        ("context coverage\n", ""),
        ("sha256:", "sha1:"),
    ] {
        let other = text.replacen(from, to, 1);
        assert_ne!(other, text);
        assert_eq!(Statement::parse(&other), None, "{other}");
    }
    let line = key(1).public_key().to_openssh().expect("a line");
    assert!(note::trust(std::slice::from_ref(&line)).is_ok());
    for wrong in [format!("cert-authority {line}"), "ssh-ed25519 AAAA".to_owned(), String::new()] {
        assert!(note::trust(std::slice::from_ref(&wrong)).is_err(), "{wrong}");
    }
}

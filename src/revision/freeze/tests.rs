use jiff::Timestamp;

use super::*;

fn file(spec: &str) -> String {
    format!("apiVersion: tandemcd.io/v1alpha1\nkind: Freeze\nmetadata: {{name: weekend}}\nspec: {{{spec}}}\n")
}

fn one(spec: &str) -> Freeze {
    let mut read = read(".tandem/freezes/a.yaml", file(spec).as_bytes()).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    read.pop().expect("a freeze")
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

#[test]
fn it_lasts_from_each_beginning_for_as_long_as_it_says() {
    let weekend = "schedule: 0 18 * * 5, duration: 62h, reason: nobody is there";
    let berlin = "schedule: 0 18 * * 5, duration: 62h, timeZone: Europe/Berlin, reason: nobody is there";
    let holidays = "schedule: 0 0 20 12 *, duration: 14d, reason: holidays";
    // 2026-03-29: clocks in Berlin go from 2:00 to 3:00. 2026-10-25: from 3:00 back to 2:00.
    let gap = "schedule: 30 2 * * *, duration: 1h, timeZone: Europe/Berlin, reason: backup";
    let often = "schedule: '* * * * *', duration: 90s, reason: always";
    for (spec, now, until) in [
        (weekend, "2026-11-27T17:59:59Z", None),
        (weekend, "2026-11-27T18:00:00Z", Some("2026-11-30T08:00:00Z")),
        (weekend, "2026-11-30T07:59:59Z", Some("2026-11-30T08:00:00Z")),
        (weekend, "2026-11-30T08:00:00Z", None),
        (berlin, "2026-11-27T16:59:59Z", None),
        (berlin, "2026-11-27T17:00:00Z", Some("2026-11-30T07:00:00Z")),
        (berlin, "2026-07-03T16:00:00Z", Some("2026-07-06T06:00:00Z")),
        (holidays, "2026-12-19T23:59:59Z", None),
        (holidays, "2027-01-02T23:59:59Z", Some("2027-01-03T00:00:00Z")),
        (holidays, "2027-01-03T00:00:00Z", None),
        (gap, "2026-03-28T01:29:59Z", None),
        (gap, "2026-03-28T01:30:00Z", Some("2026-03-28T02:30:00Z")),
        (gap, "2026-03-29T01:30:00Z", Some("2026-03-29T02:30:00Z")),
        (gap, "2026-10-25T00:30:00Z", Some("2026-10-25T01:30:00Z")),
        (gap, "2026-10-25T01:30:00Z", None),
        (often, "2026-11-27T18:00:30Z", Some("2026-11-27T18:01:30Z")),
    ] {
        let lasts = one(spec).lasts(at(now)).map(|frozen| frozen.until);
        assert_eq!(lasts, until.map(at), "{spec} at {now}");
    }
    let told = one(berlin).lasts(at("2026-11-27T17:00:00Z")).expect("it lasts").told;
    let expected =
        "the freeze weekend (.tandem/freezes/a.yaml: nobody is there) lasts until 2026-11-30 08:00 Europe/Berlin";
    assert_eq!(told, expected);
    assert_eq!(left(at("2026-11-30T07:00:00Z"), at("2026-11-30T06:59:00Z")).as_secs(), 60);
    assert_eq!(left(at("2026-11-30T06:00:00Z"), at("2026-11-30T06:59:00Z")).as_secs(), 0);
}

#[test]
fn it_holds_what_changes_below_its_paths() {
    let always = "schedule: '* * * * *', duration: 1h, reason: always";
    let now = at("2026-11-27T18:00:00Z");
    for (paths, read, expected) in [
        ("", vec!["deploy/shop/a.yaml"], true),
        (", paths: [/deploy/shop/]", vec!["deploy/shop/a.yaml"], true),
        (", paths: [/deploy/shop/]", vec!["deploy/other/a.yaml", "base/a.yaml"], false),
        (", paths: [/base/, /deploy/shop/]", vec!["deploy/other/a.yaml", "base/a.yaml"], true),
        (", paths: ['*.yaml']", vec!["deploy/other/a.yaml"], true),
        (", paths: [/deploy/shop]", vec!["deploy/shopping/a.yaml"], false),
    ] {
        let freezes = [one(&format!("{always}{paths}"))];
        let changed = read.iter().map(|path| (*path).to_owned()).collect();
        assert_eq!(!frozen(&freezes, Some(&changed), now).is_empty(), expected, "{paths}: {read:?}");
        assert_eq!(frozen(&freezes, None, now).len(), 1, "what changes is not known");
    }
    let twice = [one(always), one(always)];
    assert_eq!(frozen(&twice, Some(&BTreeSet::new()), now).len(), 1, "of the accepted and the new commit alike");
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    let good = "schedule: 0 18 * * 5, duration: 62h, reason: x";
    for (from, to, words) in [
        ("0 18 * * 5", "0 18 * *", "five fields"),
        ("0 18 * * 5", "'@daily'", "spec.schedule"),
        ("0 18 * * 5", "61 18 * * 5", "spec.schedule: \"61 18 * * 5\": "),
        ("0 18 * * 5", "0 18 * 5 UTC", "spec.schedule"),
        ("62h", "1500h", "no time of up to 60 days"),
        ("62h", "-1h", "no time of up to 60 days"),
        ("62h", "1mo", "no time of up to 60 days"),
        ("62h", "0s", "no time of up to 60 days"),
        ("62h", "long", "no time of up to 60 days"),
        ("reason: x", "reason: ' '", "spec.reason is empty"),
        ("reason: x", "reason: x, timeZone: Mars/Base", "no time zone"),
        ("reason: x", "reason: x, paths: ['!a']", "spec.paths: the pattern"),
        ("reason: x", "reason: x, path: [a]", "unknown field `path`"),
        (", reason: x", "", "missing field `reason`"),
    ] {
        let text = file(&good.replace(from, to));
        let wrong = read("f.yaml", text.as_bytes()).expect_err(to);
        let told = wrong[0].to_string();
        assert!(told.contains(words) && told.contains("f.yaml:1"), "{to}: {told}");
    }
    for (from, to, words) in [
        ("kind: Freeze", "kind: Thaw", "is not Freeze"),
        ("name: weekend", "name: a b", "is no name"),
        ("spec:", "spce:", "spce"),
    ] {
        let told = format!("{:?}", read("f.yaml", file(good).replace(from, to).as_bytes()).expect_err(to));
        assert!(told.contains(words), "{told}");
    }
    let twice = format!("{}---\n{}", file(good), file(good));
    let told = read("f.yaml", twice.as_bytes()).expect_err("twice")[0].to_string();
    assert!(told.contains("two freezes") && told.contains("f.yaml:6"), "{told}");
    assert_eq!(read("f.yaml", b"").map(|none| none.len()), Ok(0));
}

#[test]
fn an_override_names_the_freeze_and_says_why() {
    for (key, value, expected) in [
        (OVERRIDE, "weekend the shop is down", true),
        (OVERRIDE, " weekend  the shop is down ", true),
        (OVERRIDE, "weekend", false),
        (OVERRIDE, "weekend  ", false),
        (OVERRIDE, "holidays the shop is down", false),
        ("tandem-freeze-override", "weekend the shop is down", false),
        ("Tandem-Delete", "weekend the shop is down", false),
    ] {
        assert_eq!(overrides(key, value, "weekend"), expected, "{key}: {value}");
    }
    for (message, expected) in [
        ("fix\n\nTandem-Freeze-Override: weekend x", true),
        ("fix\n\n  tandem-freeze-override : weekend x", true),
        ("fix\n\nTandem-Delete: a/b 1", false),
    ] {
        assert_eq!(carries_override(message), expected, "{message}");
    }
}

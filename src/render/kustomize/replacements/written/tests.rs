//! Every expectation is what `go.yaml.in/yaml/v3` v3.0.5 writes of the text with the indentation
//! that kustomize sets.

use super::*;

fn again(text: &str) -> Result<String, String> {
    read(text).map(|text| print(&text))
}

/// Texts, each as it is written anew.
#[test]
fn a_text_is_written_as_go_writes_it() {
    let cases = include_str!("cases.txt");
    let mut wrong = Vec::new();
    let mut count = 0;
    for case in cases.split("\n==========\n") {
        let (text, wanted) = case.split_once("\n----------\n").expect("a text and what becomes of it");
        let text = text.strip_prefix("==========\n").unwrap_or(text);
        count += 1;
        match again(&format!("{text}\n")) {
            Ok(written) if written == wanted.trim_end_matches('\n') => {}
            other => wrong.push(format!("{text}\nis to be\n{wanted}\nand is\n{}", other.unwrap_or_else(|why| why))),
        }
    }
    assert!(wrong.is_empty() && count > 20, "{} of {count}\n{}", wrong.len(), wrong.join("\n==========\n"));
}

#[test]
fn what_is_not_understood_is_refused() {
    for text in [
        "a: !x 1\n",
        "? [a]\n: 1\n",
        "- # first\n  a: 1\n",
        "a:\n  b: 1\n# below\n\nc: 1\n",
        "a: 1\n   # here\nb: 1\n",
        "[1, # one\n 2]\n",
        "---\na: 1\n",
        "text",
        "a: *b",
    ] {
        assert!(again(text).is_err(), "{text}: {:?}", again(text));
    }
}

//! The rules of a schema for a value, as kube-openapi's validator has them.

use serde_json::Value;

use super::format;
use super::schema::{Additional, Rules, Schema, Type};
use crate::schema::finding::{Findings, Step};

/// Validates a value to which defaults were added.
pub fn value<'a>(value: &'a Value, schema: &'a Schema, findings: &mut Findings<'a>) {
    if !findings.step() {
        return;
    }
    let rules = &schema.rules;
    if value.is_null() {
        if !schema.types.is_empty() && !schema.nullable {
            findings.wrong_type(value, &wanted(&schema.types));
        } else {
            enumeration(value, rules, findings);
        }
        return;
    }
    if !schema.types.is_empty() && !schema.types.iter().any(|kind| kind.is(value)) {
        let problem = findings.wrong_type(value, &wanted(&schema.types));
        problem.hint = match (schema.types[0], value) {
            (Type::Text, Value::Number(_) | Value::Bool(_)) => Some("put it in quotes".to_owned()),
            (Type::Integer | Type::Number, Value::String(text)) if text.parse::<f64>().is_ok() => {
                Some("leave out the quotes".to_owned())
            }
            (Type::Boolean, Value::String(text)) if text == "true" || text == "false" => {
                Some("leave out the quotes".to_owned())
            }
            _ => None,
        };
        return;
    }
    enumeration(value, rules, findings);
    match value {
        Value::Object(_) => object(value, schema, findings),
        Value::Array(items) => {
            if let Some(schema) = schema.items.as_deref() {
                for (at, item) in items.iter().enumerate() {
                    findings.within(Step::Item(at), |findings| self::value(item, schema, findings));
                }
            }
            count(items.len(), "item", rules.min_items, rules.max_items, findings);
        }
        Value::String(text) => self::text(text, schema, findings),
        Value::Number(number) => self::number(number, value, rules, findings),
        Value::Bool(_) | Value::Null => {}
    }
    alternatives(value, rules, findings);
}

fn wanted(types: &[Type]) -> String {
    types.iter().map(|kind| kind.words()).collect::<Vec<_>>().join(" or ")
}

fn object<'a>(object: &'a Value, schema: &'a Schema, findings: &mut Findings<'a>) {
    let Value::Object(fields) = object else { return };
    if schema.embedded {
        for name in ["apiVersion", "kind"] {
            findings.within(Step::Field(name), |findings| match fields.get(name) {
                Some(Value::String(text)) if !text.is_empty() => {}
                None | Some(Value::String(_)) => {
                    findings.here("RequiredField", "is required of an object within an object");
                }
                Some(other) => drop(findings.wrong_type(other, "a text")),
            });
        }
    }
    for (name, value) in fields {
        match (schema.properties.get(name), &schema.additional) {
            (Some(schema), _) => findings.within(Step::Field(name), |findings| self::value(value, schema, findings)),
            (None, Additional::Values(schema)) => {
                findings.within(Step::Field(name), |findings| self::value(value, schema, findings));
            }
            (None, Additional::Forbidden) => {
                findings.within(Step::Field(name), |findings| {
                    findings.here("InvalidValue", "may not be there");
                });
            }
            (None, Additional::Unsaid | Additional::Anything) => {}
        }
    }
    for name in schema.rules.required.iter().filter(|name| !fields.contains_key(*name)) {
        findings.within(Step::Field(name), |findings| {
            findings.here("RequiredField", "is required, and is missing");
        });
    }
    count(fields.len(), "field", schema.rules.min_properties, schema.rules.max_properties, findings);
}

fn enumeration(value: &Value, rules: &Rules, findings: &mut Findings<'_>) {
    let Some(allowed) = &rules.enumeration else { return };
    let same = |other: &Value| match (value.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.to_bits() == other.to_bits(),
        _ => value == other,
    };
    if allowed.iter().any(same) {
        return;
    }
    let told: Vec<String> =
        allowed.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect();
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    match value {
        Value::String(text) => findings.unsupported(text, &told),
        other => findings.unsupported(&other.to_string(), &told),
    }
}

fn count(number: usize, what: &str, least: Option<u64>, most: Option<u64>, findings: &mut Findings<'_>) {
    let number = number as u64;
    let plural = |number: u64| if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") };
    if let Some(least) = least.filter(|least| number < *least) {
        findings.here("InvalidValue", format!("has {}, and needs at least {least}", plural(number)));
    }
    if let Some(most) = most.filter(|most| number > *most) {
        findings.here("InvalidValue", format!("has {}, and may have at most {most}", plural(number)));
    }
}

fn text(text: &str, schema: &Schema, findings: &mut Findings<'_>) {
    let rules = &schema.rules;
    let length = text.chars().count();
    count(length, "character", rules.min_length, rules.max_length, findings);
    let shown = findings.told(&Value::String(text.to_owned()));
    if let Some(pattern) = rules.pattern.as_ref().filter(|pattern| !pattern.matches(text)) {
        findings.here("InvalidValue", format!("has a value{shown} that does not match {}", pattern.written()));
    }
    if schema.types == [Type::Text]
        && let Some(format) = rules.format.as_ref().filter(|format| !format::fits(format, text))
    {
        findings.here("InvalidValue", format!("has a value{shown} that is no {format}"));
    }
}

fn number(number: &serde_json::Number, value: &Value, rules: &Rules, findings: &mut Findings<'_>) {
    let Some(number) = number.as_f64() else { return };
    let shown = findings.told(value);
    let below = |least: f64| if rules.exclusive_minimum { number <= least } else { number < least };
    let above = |most: f64| if rules.exclusive_maximum { number >= most } else { number > most };
    if let Some(least) = rules.minimum.filter(|least| below(*least)) {
        let words = if rules.exclusive_minimum { "more than" } else { "at least" };
        findings.here("InvalidValue", format!("is{shown}, and has to be {words} {least}"));
    }
    if let Some(most) = rules.maximum.filter(|most| above(*most)) {
        let words = if rules.exclusive_maximum { "less than" } else { "at most" };
        findings.here("InvalidValue", format!("is{shown}, and has to be {words} {most}"));
    }
    if let Some(of) = rules.multiple_of
        && (number / of).fract() != 0.0
    {
        findings.here("InvalidValue", format!("is{shown}, and has to be a multiple of {of}"));
    }
}

fn alternatives<'a>(value: &'a Value, rules: &'a Rules, findings: &mut Findings<'a>) {
    let mut tried = |schema: &'a Schema| {
        let mut branch = findings.branch();
        self::value(value, schema, &mut branch);
        branch.into_found()
    };
    let all: Vec<_> = rules.all_of.iter().map(&mut tried).collect();
    let any: Vec<_> = rules.any_of.iter().map(&mut tried).collect();
    let one: Vec<_> = rules.one_of.iter().map(&mut tried).collect();
    let not = rules.not.as_deref().map(&mut tried);
    all.into_iter().flatten().for_each(|finding| findings.add(finding));
    let fitting = |of: &[Vec<_>]| of.iter().filter(|found| found.is_empty()).count();
    if !any.is_empty() && fitting(&any) == 0 {
        nearest(any, findings);
    }
    if !one.is_empty() {
        match fitting(&one) {
            1 => {}
            0 => nearest(one, findings),
            several => {
                findings.here("InvalidValue", format!("fits {several} alternatives, of which only one may hold"));
            }
        }
    }
    if not.is_some_and(|found| found.is_empty()) {
        findings.here("InvalidValue", "is what its schema excludes");
    }
}

/// Of alternatives of which none holds, the one with the least to change is told.
fn nearest(alternatives: Vec<Vec<crate::schema::Finding>>, findings: &mut Findings<'_>) {
    let number = alternatives.len();
    let Some(best) = alternatives.into_iter().min_by_key(Vec::len) else { return };
    let problem = findings.here("InvalidValue", format!("fits none of {number} alternatives"));
    let words: Vec<String> = best.iter().map(|finding| finding.problem.message.clone()).collect();
    problem.hint = Some(format!("of the nearest: {}", words.join("; ")));
}

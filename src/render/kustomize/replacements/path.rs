//! Paths of fields as replacements and vars write them: names with `.` between them, places in
//! lists by number or by what their elements hold.

use regex::Regex;
use serde_json::{Map, Value};

use super::Shape;
use super::value::plain;
use crate::render::kustomize::fieldspec::split;
use crate::render::kustomize::select::scalar_text;

/// How many parts a path may have: more than any object has levels.
const MAX_PARTS: usize = 128;

/// The parts of a path. What is in brackets is one part: with a `=` an element of a list, else a
/// name.
pub fn parts(path: &str) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    let mut rest = split(path, '.').into_iter();
    while let Some(part) = rest.next() {
        let mut part = part.into_owned();
        if part.starts_with('[') && !part.ends_with(']') {
            for more in rest.by_ref() {
                part.push('.');
                part.push_str(&more);
                if more.ends_with(']') {
                    break;
                }
            }
            if !part.contains('=') {
                part = part.trim_matches(['[', ']']).to_owned();
            }
        }
        all.push(part);
    }
    if all.len() > MAX_PARTS {
        return Err(format!("the path has {} parts, and {MAX_PARTS} are allowed", all.len()));
    }
    Ok(all)
}

/// Name and value of `[name=value]`; nothing where a part is no such thing.
pub fn element(part: &str) -> Option<Result<(&str, &str), String>> {
    let inner = part.strip_prefix('[')?.strip_suffix(']')?;
    Some(inner.split_once('=').ok_or_else(|| format!("{part} selects no element of a list; write [name=value]")))
}

/// The place in a list that a part is.
pub fn place(part: &str) -> Option<usize> {
    part.parse::<i64>().ok().and_then(|at| usize::try_from(at).ok())
}

fn a(value: &Value) -> &'static str {
    match value {
        Value::Object(_) => "a mapping",
        Value::Array(_) => "a list",
        _ => "a scalar",
    }
}

fn no_mapping(part: &str, value: &Value) -> String {
    format!("{part:?} is looked for in {}, not in a mapping", a(value))
}

fn no_list(part: &str, value: &Value) -> String {
    format!("{part} is looked for in {}, not in a list", a(value))
}

/// The one field that a path leads to. `[name=value]` is the first element that holds exactly that,
/// and `-` is the last.
pub fn lookup<'a>(body: &'a Value, parts: &[String]) -> Result<Option<&'a Value>, String> {
    let mut node = body;
    for part in parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        let list = |node: &'a Value| match node {
            Value::Null => Ok(&[][..]),
            Value::Array(elements) => Ok(&**elements),
            other => Err(no_list(part, other)),
        };
        let found = if let Ok(at) = part.parse::<i64>() {
            let at = usize::try_from(at).map_err(|_| format!("{part} is no place in a list; count from 0"))?;
            list(node)?.get(at)
        } else if part == "-" {
            list(node)?.last()
        } else if part == "*" {
            return Err("`*` stands for many values, and one is read; give the place in the list".to_owned());
        } else if let Some(wanted) = element(part) {
            let (name, value) = wanted?;
            let holds = |found: &Value| text_of(found) == value;
            list(node)?.iter().find(|element| match name {
                "" => holds(element),
                name => element.get(name).is_some_and(holds),
            })
        } else {
            match node {
                Value::Null => None,
                Value::Object(fields) => fields.get(part),
                other => return Err(no_mapping(part, other)),
            }
        };
        match found {
            Some(found) => node = found,
            None => return Ok(None),
        }
    }
    Ok(Some(node))
}

/// The text of a scalar; none of a list or mapping.
pub fn text_of(value: &Value) -> String {
    if value.is_object() || value.is_array() { String::new() } else { scalar_text(value) }
}

/// Whether a field was made on the way, and how what holds it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// It was there.
    Not,
    /// It was made in a mapping or list on lines of its own.
    InBlock,
    /// It was made in brackets: where nothing else was in them, as a block cannot be empty.
    InBrackets,
    /// An earlier replacement made it.
    Before,
    /// It was made in the annotations of an object, which are the texts that are written.
    InAnnotations,
}

impl Made {
    /// Of what is made in a mapping or list.
    fn within(self, is_empty: bool) -> Self {
        match self {
            Self::Not if is_empty => Self::InBrackets,
            Self::Not => Self::InBlock,
            made => made,
        }
    }
}

/// What is done with a field; with how it was made.
pub type Set<'a> = dyn FnMut(&mut Value, Made) -> Result<(), String> + 'a;

/// Calls `set` with every field that a path leads to, and says how many there are. `[name=value]`
/// stands for every element with a match of the regular expression `value`, `*` for every one.
/// With `create` what is missing is made, and a field at the end has that shape.
pub fn each(
    node: &mut Value,
    parts: &[String],
    create: Option<Shape>,
    made: Made,
    set: &mut Set<'_>,
) -> Result<usize, String> {
    let Some((part, rest)) = parts.split_first() else {
        set(node, made)?;
        return Ok(1);
    };
    if node.is_null() {
        // kustomize finds fields in what it makes below null, and then loses it.
        let in_list = place(part).is_some() || element(part).is_some();
        let mut lost = if in_list { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
        return if part == "*" { Ok(0) } else { each(&mut lost, parts, create, made, set) };
    }
    if let Some(at) = place(part) {
        let Value::Array(elements) = node else { return Err(no_list(part, node)) };
        let mut how = Made::Not;
        if let Some(shape) = create.filter(|_| elements.len() == at) {
            how = made.within(elements.is_empty());
            elements.push(shape.before(rest));
        }
        let count = elements.len();
        let element = elements.get_mut(at).ok_or_else(|| format!("the list has {count} elements, and none at {at}"))?;
        return each(element, rest, create, how, set);
    }
    if let Some(wanted) = element(part) {
        let Value::Array(elements) = node else { return Err(no_list(part, node)) };
        let (name, pattern) = wanted?;
        return each_element(elements, [part, name, pattern], rest, create, set);
    }
    if part == "*" {
        let Value::Array(elements) = node else { return Err(no_list(part, node)) };
        return elements.iter_mut().map(|element| each(element, rest, create, Made::Not, set)).sum();
    }
    let Value::Object(fields) = node else { return Err(no_mapping(part, node)) };
    if part.is_empty() {
        return Err("the path has an empty name in it; write names with one `.` between them".to_owned());
    }
    let mut how = Made::Not;
    if !fields.contains_key(part) {
        let Some(shape) = create else { return Ok(0) };
        how = made.within(fields.is_empty());
        fields.insert(part.clone(), shape.before(rest));
    }
    match fields.get_mut(part) {
        // Looked for within the text, and what is set there is lost: what can be kept was set before.
        Some(Value::String(text)) if !rest.is_empty() => {
            let mut within = super::embedded::read(text)?;
            each(&mut within, rest, create, Made::Not, set)
        }
        Some(field) => each(field, rest, create, how, set),
        None => Ok(0),
    }
}

fn each_element(
    elements: &mut Vec<Value>,
    [part, name, pattern]: [&str; 3],
    rest: &[String],
    create: Option<Shape>,
    set: &mut Set<'_>,
) -> Result<usize, String> {
    let regex = Regex::new(pattern).map_err(|_| format!("{pattern:?} in {part} is no regular expression"))?;
    let fits = |value: &Value| {
        let text = if value.is_string() { scalar_text(value) } else { value.to_string() };
        regex.is_match(text.trim())
    };
    let visit = |element: &mut Value, made: Made, set: &mut Set<'_>| match name {
        // kustomize does not look at the rest of the path here.
        "" if fits(element) => set(element, made).map(|()| 1),
        "" => Ok(0),
        name => match element.get(name).is_some_and(fits) {
            true => each(element, rest, create, Made::Not, set),
            false => Ok(0),
        },
    };
    let mut found = 0;
    for element in elements.iter_mut() {
        found += visit(element, Made::Not, set)?;
    }
    if found > 0 || create.is_none() {
        return Ok(found);
    }
    let mut element = plain(pattern)?;
    if !name.is_empty() {
        element = Value::Object([(name.to_owned(), element)].into_iter().collect());
    }
    let found = visit(&mut element, Made::InBlock, set)?;
    if found == 0 {
        return Err(format!("{part} takes no element, and would not take the one that is made for it"));
    }
    elements.push(element);
    Ok(found)
}

impl Shape {
    /// What is made before the rest of a path.
    fn before(self, rest: &[String]) -> Value {
        let shape = match rest.first().map(String::as_str) {
            None | Some("") => self,
            Some(next) if place(next).is_some() || element(next).is_some() => Self::List,
            Some(_) => Self::Mapping,
        };
        match shape {
            Self::Scalar => Value::Null,
            Self::Mapping => Value::Object(Map::new()),
            Self::List => Value::Array(Vec::new()),
        }
    }
}

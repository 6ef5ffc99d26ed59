//! Fields of a text by a path, as replacements write it.

use regex::Regex;

use super::{Content, Form, Node, Scalar, Text, print};
use crate::render::kustomize::replacements::path::{element, place};

/// What is done with a field.
pub type Set<'a> = dyn FnMut(&mut Node) -> Result<(), String> + 'a;

/// Calls `set` with every field that a path leads to, and says how many there are. With `create`
/// what is missing is made.
///
/// # Errors
/// Where the path leads to another kind of value than it says.
pub fn each(node: &mut Node, parts: &[String], create: bool, set: &mut Set<'_>) -> Result<usize, String> {
    let Some((part, rest)) = parts.split_first() else { return set(node).map(|()| 1) };
    if is_null(node) {
        // Found in what is made below null, and lost with it.
        let in_list = place(part).is_some() || element(part).is_some();
        let mut lost: Node = before(if in_list { Some("0") } else { Some("") }).into();
        return if part == "*" { Ok(0) } else { each(&mut lost, parts, create, set) };
    }
    let wrong = || format!("{part:?} is looked for in what has no such thing");
    if let Some(at) = place(part) {
        let Content::List(items, _) = &mut node.content else { return Err(wrong()) };
        if create && items.len() == at {
            items.push(before(rest.first().map(String::as_str)).into());
        }
        return each(items.get_mut(at).ok_or_else(wrong)?, rest, create, set);
    }
    if let Some(wanted) = element(part) {
        let Content::List(items, _) = &mut node.content else { return Err(wrong()) };
        let (name, pattern) = wanted?;
        return each_element(items, name, pattern, rest, create, set);
    }
    if part == "*" {
        let Content::List(items, _) = &mut node.content else { return Err(wrong()) };
        return items.iter_mut().map(|item| each(item, rest, create, set)).sum();
    }
    let Content::Mapping(fields, _) = &mut node.content else { return Err(wrong()) };
    if !fields.iter().any(|(key, _)| is_named(key, part)) {
        if !create {
            return Ok(0);
        }
        let key = Content::Scalar(Scalar::open(part.as_str()));
        fields.push((key.into(), before(rest.first().map(String::as_str)).into()));
    }
    let Some((_, field)) = fields.iter_mut().find(|(key, _)| is_named(key, part)) else { return Ok(0) };
    match &field.content {
        // Looked for within the text, and what is set there is lost.
        Content::Scalar(scalar) if !rest.is_empty() && !is_null(field) => {
            let mut within = super::read(&scalar.text)?;
            each(&mut within.root, rest, create, set)
        }
        _ => each(field, rest, create, set),
    }
}

fn each_element(
    items: &mut Vec<Node>,
    name: &str,
    pattern: &str,
    rest: &[String],
    create: bool,
    set: &mut Set<'_>,
) -> Result<usize, String> {
    let regex = Regex::new(pattern).map_err(|_| format!("{pattern:?} is no regular expression"))?;
    let fits = |node: &Node| regex.is_match(&print(&Text { root: node.clone(), ..Text::default() }));
    let visit = |item: &mut Node, set: &mut Set<'_>| match (name, &item.content) {
        ("", _) if fits(item) => set(item).map(|()| 1),
        ("", _) => Ok(0),
        (name, Content::Mapping(fields, _)) => {
            match fields.iter().find(|(key, _)| is_named(key, name)).is_some_and(|(_, value)| fits(value)) {
                true => each(item, rest, create, set),
                false => Ok(0),
            }
        }
        _ => Ok(0),
    };
    let mut found = 0;
    for item in items.iter_mut() {
        found += visit(item, set)?;
    }
    if found > 0 || !create {
        return Ok(found);
    }
    let value = Content::Scalar(Scalar::open(pattern));
    let mut item: Node = if name.is_empty() {
        value.into()
    } else {
        let key = Content::Scalar(Scalar::open(name));
        Content::Mapping(vec![(key.into(), value.into())], Form::Block).into()
    };
    let found = visit(&mut item, set)?;
    if found == 0 {
        return Err(format!("[{name}={pattern}] takes no element"));
    }
    items.push(item);
    Ok(found)
}

fn is_named(key: &Node, name: &str) -> bool {
    matches!(&key.content, Content::Scalar(scalar) if scalar.text == name)
}

fn is_null(node: &Node) -> bool {
    use super::scalar::Type;
    matches!(&node.content, Content::Scalar(scalar)
        if scalar.kind == Type::Null || (scalar.kind == Type::Open && scalar.text.is_empty()))
}

/// What is made before the rest of a path.
fn before(next: Option<&str>) -> Content {
    match next {
        None => Content::default(),
        Some(next) if place(next).is_some() || element(next).is_some() => Content::List(Vec::new(), Form::Block),
        Some(_) => Content::Mapping(Vec::new(), Form::Block),
    }
}

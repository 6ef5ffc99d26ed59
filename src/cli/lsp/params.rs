//! What requests and notifications say, and answers.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::wire::{Refusal, code};
use crate::editor;

/// The changes of a text.
pub fn changes(all: &Value) -> Vec<editor::Change> {
    let position = |value: &Value| {
        let number = |name: &str| u32::try_from(value[name].as_u64()?).ok();
        Some(editor::Position { line: number("line")?, character: number("character")? })
    };
    let change = |change: &Value| editor::Change {
        range: position(&change["range"]["start"]).zip(position(&change["range"]["end"])),
        text: change["text"].as_str().unwrap_or_default().to_owned(),
    };
    all.as_array().into_iter().flatten().map(change).collect()
}

/// What a request says.
pub fn read<T: DeserializeOwned>(params: Value) -> Result<T, Refusal> {
    serde_json::from_value(params).map_err(|error| Refusal::new(code::INVALID_PARAMS, error.to_string()))
}

/// An answer.
pub fn told<T: serde::Serialize>(answer: &T) -> Result<Value, Refusal> {
    serde_json::to_value(answer).map_err(|error| Refusal::new(code::INTERNAL, error.to_string()))
}

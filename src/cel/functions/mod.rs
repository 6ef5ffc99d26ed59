//! The functions of expressions, by their names.

mod arithmetic;
pub(super) mod convert;
pub(super) mod format;
mod lists;
pub(super) mod named;
mod net;
mod optional;
pub(super) mod pattern;
pub(super) mod quantity;
pub(super) mod semver;
mod strings;
mod time;
pub(super) mod url;

use super::value::Value;
use super::{Budget, Fault};

/// A function of values. It answers [`Fault::no_such_overload`] for types that it does not take.
pub(super) type Function = fn(&[Value], &mut Budget) -> Result<Value, Fault>;

/// The function of a name; `None` where there is none.
pub(super) fn find(name: &str) -> Option<Function> {
    let rooms: [fn(&str) -> Option<Function>; 13] = [
        arithmetic::find,
        convert::find,
        strings::find,
        lists::find,
        optional::find,
        time::find,
        format::find,
        pattern::find,
        quantity::find,
        semver::find,
        url::find,
        net::find,
        named::find,
    ];
    rooms.iter().find_map(|room| room(name))
}

fn mistyped() -> Fault {
    Fault::no_such_overload()
}

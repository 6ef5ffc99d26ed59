//! What an editor shows of a file: where a position is in an object, what stands there, what may stand
//! there, and what mends it. Everything here is of one text and of values that were made elsewhere.

mod alias;
mod complete;
mod context;
mod describe;
mod fix;
mod hover;
mod mark;
mod outline;
mod position;
mod refer;
mod shown;
mod waiver;

pub use alias::{Aliased, aliased};
pub use complete::{Insert, Item, complete};
pub use context::{Context, Kind, Role, at};
pub use describe::Known;
pub use fix::{Fix, fixes};
pub use hover::schema;
pub use mark::mark;
pub use outline::{Document, Field, Node, Outline, Step, What};
pub use position::{Change, Encoding, Position, Text};
pub use refer::{Named, Target, referred};
pub use shown::{Rendered, counterpart, pointer, rendered, same_place, shown};
pub use waiver::{Wanted, waiver};

#[cfg(test)]
mod tests;

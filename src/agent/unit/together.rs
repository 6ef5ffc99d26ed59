//! Several requests under way at a time.

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};

/// Requests of one pass under way at a time. The limiter of the cluster bounds all passes together.
const WIDTH: usize = 16;

/// Runs all of them, some at a time; their results in the order in which they end.
pub(super) async fn together<T: Send>(futures: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    stream::iter(futures).buffer_unordered(WIDTH).collect().await
}

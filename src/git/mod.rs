//! git2: references, fetches, trees. Knows nothing of clusters.

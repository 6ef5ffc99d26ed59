//! Child processes: starts, feeds, limits and replaces them. Knows only processes and frames.

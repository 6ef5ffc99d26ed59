//! What each reader is told: conditions, events, metrics, messages.

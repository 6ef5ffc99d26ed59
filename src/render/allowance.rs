//! What a render may still take: memory and work, spent where they are needed.
//!
//! Files are counted as they are read. What is made of them is counted here, as it is made: a prefix
//! in front of every name a thousand times over, a patch on every object, a list that is merged
//! element by element with another one.

use std::cell::Cell;

use serde_json::Value;

use super::Limits;
use crate::object::yaml;

/// Bytes for one step of work, where work goes through a value: about those of a node.
const NODE: u64 = 64;

/// Memory and work that are left.
#[derive(Debug)]
pub struct Allowance {
    memory: Cell<u64>,
    most_memory: u64,
    work: Cell<u64>,
    most_work: u64,
    passed: Cell<Option<&'static str>>,
}

impl Default for Allowance {
    fn default() -> Self {
        Self::new(&Limits::default())
    }
}

impl Allowance {
    /// Nothing is spent.
    pub fn new(limits: &Limits) -> Self {
        Self {
            memory: Cell::new(0),
            most_memory: limits.total_memory,
            work: Cell::new(0),
            most_work: limits.work,
            passed: Cell::new(None),
        }
    }

    /// Takes memory.
    ///
    /// # Errors
    /// Where more than the limit would be taken, in words for people.
    pub fn take(&self, bytes: u64) -> Result<(), String> {
        let taken = self.memory.get().saturating_add(bytes);
        if taken > self.most_memory {
            self.passed.set(Some("bytes of memory together"));
            return Err(self.told());
        }
        self.memory.set(taken);
        Ok(())
    }

    /// Takes memory for what grew, and gives back that of what shrank.
    ///
    /// # Errors
    /// As [`Allowance::take`].
    pub fn resized(&self, before: u64, after: u64) -> Result<(), String> {
        self.memory.set(self.memory.get().saturating_sub(before));
        self.take(after)
    }

    /// Whether a value of so many bytes could be made.
    ///
    /// # Errors
    /// As [`Allowance::take`].
    pub fn fits(&self, bytes: u64) -> Result<(), String> {
        let taken = self.memory.get();
        self.take(bytes)?;
        self.memory.set(taken);
        Ok(())
    }

    /// Takes memory for what a function makes of a value, in place of what the value took before.
    /// What the function itself takes counts while it runs.
    ///
    /// # Errors
    /// Those of the function, and as [`Allowance::take`].
    pub fn changing<E>(
        &self,
        value: &mut Value,
        wrong: impl Fn(String) -> E,
        change: impl FnOnce(&mut Value) -> Result<(), E>,
    ) -> Result<(), E> {
        let before = self.measure(value).map_err(&wrong)?;
        let taken = self.memory.get();
        change(value)?;
        self.memory.set(taken);
        let after = self.measure(value).map_err(&wrong)?;
        self.resized(before, after).map_err(wrong)
    }

    /// Takes steps of work.
    ///
    /// # Errors
    /// Where more than the limit would be taken, in words for people.
    pub fn work(&self, steps: usize) -> Result<(), String> {
        let taken = self.work.get().saturating_add(steps as u64);
        if taken > self.most_work {
            self.passed.set(Some("steps of work"));
            return Err(self.told());
        }
        self.work.set(taken);
        Ok(())
    }

    /// Takes the work of a walk through everything that there is.
    ///
    /// # Errors
    /// As [`Allowance::work`].
    pub fn walk(&self) -> Result<(), String> {
        self.work(usize::try_from(self.memory.get() / NODE).unwrap_or(usize::MAX))
    }

    /// Takes the work of a walk through a value, and says how much memory it takes.
    ///
    /// # Errors
    /// As [`Allowance::work`].
    pub fn measure(&self, value: &Value) -> Result<u64, String> {
        let bytes = yaml::memory(value);
        self.work(usize::try_from(bytes / NODE).unwrap_or(usize::MAX))?;
        Ok(bytes)
    }

    /// Whether a limit was passed.
    pub fn is_passed(&self) -> bool {
        self.passed.get().is_some()
    }

    fn told(&self) -> String {
        let what = self.passed.get().unwrap_or_default();
        let most = if what.starts_with("bytes") { self.most_memory } else { self.most_work };
        format!("there are more than the {most} {what} that are allowed")
    }
}

//! A tree in which encrypted files are read as their plain text.

use std::cell::RefCell;

use super::form::{Encrypted, encrypted};
use super::identity::Identities;
use super::keys::{Keys, Place};
use super::program::{Request, helps, placed};
use super::secrets::{SecretValue, Secrets};
use super::withheld::withheld;
use super::{Decrypted, decrypt};
use crate::object::{Problem, yaml};
use crate::render::{Answer, Answers, Ask, Blob, Entry, Need, Needs, Options, Tree, TreeError};

/// A tree whose encrypted files are decrypted when they are read. Identities are those of the
/// cipher text: equal ones, equal content.
pub struct Opening<'a> {
    tree: &'a dyn Tree,
    identities: Identities,
    limits: yaml::Limits,
    secrets: RefCell<Secrets>,
    keys: &'a Keys,
    answers: &'a Answers,
    needs: RefCell<Needs>,
}

impl<'a> Opening<'a> {
    /// Decrypts with these keys.
    pub fn new(tree: &'a dyn Tree, options: &'a Options) -> Self {
        let Options { decryption: keys, answers, limits, .. } = options;
        let mut identities = Identities::default();
        for text in keys.age() {
            // What is no key was refused when it was added.
            let _ = identities.add(text.expose());
        }
        let (secrets, needs) = (RefCell::default(), RefCell::default());
        Self { tree, identities, limits: limits.yaml(), secrets, keys, answers, needs }
    }

    /// What the program `sops` has to be asked for.
    pub fn into_needs(self) -> Vec<Need> {
        self.needs.into_inner().into_parts().0
    }

    fn decrypted(&self, path: &str, bytes: Vec<u8>, found: Encrypted) -> Result<Decrypted, Problem> {
        if self.keys.place() == Place::Nowhere {
            return withheld(path, &bytes, found, &self.limits);
        }
        let problem = match decrypt(path, &bytes, found, &self.identities, &self.limits) {
            Ok(decrypted) => return Ok(decrypted),
            Err(problem) => problem,
        };
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        let locked = matches!(problem.rule.as_str(), "EncryptedManifest" | "NoDecryptionKey");
        if !locked || !helps(text, found, self.keys, &self.limits) {
            return Err(problem);
        }
        let keys = self.keys.clone();
        let request = Request { form: found.form, file: Blob::new(bytes.clone()), keys };
        match self.needs.borrow_mut().ask(Ask::Decrypt(Box::new(request)), self.answers) {
            Ok(Answer::Printed { output, .. }) => placed(path, text, found, output.bytes(), &self.limits),
            Ok(Answer::Problem(problem)) => Err(problem.in_file(path, Some(found.line))),
            Ok(Answer::Refused(_)) => Err(problem),
            Err(problem) => Err(problem.in_file(path, Some(found.line))),
        }
    }

    /// Notes another value that is secret, with the last key on the way to it.
    pub fn hide(&self, key: String, text: String) {
        let value = SecretValue { key, text: text.into() };
        self.secrets.borrow_mut().extend(vec![value], &[]);
    }

    /// What is secret in all that was read.
    pub fn secrets(&self) -> std::cell::Ref<'_, Secrets> {
        self.secrets.borrow()
    }
}

impl Tree for Opening<'_> {
    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, TreeError> {
        self.tree.list(path)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        let Some(bytes) = self.tree.read(path, limit)? else { return Ok(None) };
        let Some(found) = encrypted(path, &bytes, &self.limits) else { return Ok(Some(bytes)) };
        let decrypted = self.decrypted(path, bytes, found);
        let Decrypted { bytes, secrets } = decrypted.map_err(|problem| TreeError::Refused(Box::new(problem)))?;
        self.secrets.borrow_mut().extend(secrets, &bytes);
        Ok(Some(bytes))
    }

    fn kept(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        self.tree.kept(path, limit)
    }

    fn link(&self, path: &str) -> Result<Option<String>, TreeError> {
        self.tree.link(path)
    }

    fn id(&self, path: &str) -> Result<Option<String>, TreeError> {
        self.tree.id(path)
    }
}

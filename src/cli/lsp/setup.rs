//! What everything is checked with.

use crate::agent::programs::Programs;
use crate::cli::check;
use crate::cli::check::finding::Finding;
use crate::cli::check::roots::Survey;
use crate::editor::Encoding;
use crate::object::Manifest;
use crate::render::Options;
use crate::schema::guide::Guide;
use crate::schema::{Minor, Schemas};

/// What everything is checked with.
pub struct Setup {
    /// Version of Kubernetes that will take the objects.
    pub target: Minor,
    pub options: Options,
    pub programs: Programs,
    /// Definitions from elsewhere.
    pub named: Vec<Manifest>,
    /// How the client counts characters.
    pub encoding: Encoding,
    /// Whether the client makes files that an answer asks for.
    pub creates: bool,
}

impl Setup {
    /// Schemas and words of Kubernetes, of our own kinds, of what was named and of these definitions.
    pub fn schemas(&self, definitions: &[Manifest]) -> (Schemas, Guide) {
        let (mut schemas, mut guide) = (Schemas::new(self.target), Guide::new(self.target));
        for definition in check::own().iter().chain(&self.named).chain(definitions) {
            schemas.define(definition);
            guide.define(definition);
        }
        (schemas, guide)
    }

    /// What is wrong with the definitions of a working copy.
    pub fn definitions(&self, survey: &Survey, folder: &str) -> Vec<Finding> {
        let mut schemas = Schemas::new(self.target);
        let mut found = Vec::new();
        for manifest in &survey.definitions {
            for finding in schemas.define(manifest) {
                found.push(Finding::new(finding.problem.at(&manifest.origin).of(&manifest.id), folder));
            }
        }
        found
    }
}

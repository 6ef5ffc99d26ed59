//! Reading a kustomization: what it says, and what cannot be meant.

use std::rc::Rc;

use super::super::merge::Schema;
use super::build::{Build, Folder};
use super::decode::{KUSTOMIZATION, decode};
use super::files::{Source, Spot, resolve};
use super::types::Kustomization;

impl Build<'_> {
    /// Reads a kustomization.
    pub fn read(&mut self, root: &str, source: Source, chain: &[String]) -> Option<Folder> {
        let value = self.files.document(&source);
        let value = self.refuse_all(value)?;
        let spot = Spot::new(&Rc::new(source));
        let says_nothing = value.as_object().is_none_or(|fields| {
            fields.iter().all(|(name, value)| value.is_null() || matches!(name.as_str(), "apiVersion" | "kind"))
        });
        if says_nothing && (value.is_null() || value.is_object()) {
            self.problems.push(spot.problem("InvalidKustomization", "the kustomization is empty"));
            return None;
        }
        let decoded = decode::<Kustomization>(value, KUSTOMIZATION, &spot, "InvalidKustomization");
        let mut kustomization = self.refuse_all(decoded)?;
        let before = self.problems.len();
        self.check(&mut kustomization, &spot);
        if self.problems.len() > before {
            return None;
        }
        let chain = chain.iter().cloned().chain([root.to_owned()]).collect();
        Some(Folder { root: root.to_owned(), kustomization, spot, chain, trail: None })
    }

    /// Refuses what cannot be meant, and moves older fields to where they are now.
    fn check(&mut self, k: &mut Kustomization, spot: &Spot) {
        let kind = if k.kind.is_empty() { "Kustomization" } else { &k.kind };
        let version = match kind {
            "Kustomization" => "kustomize.config.k8s.io/v1beta1",
            "Component" => "kustomize.config.k8s.io/v1alpha1",
            _ => {
                let message = format!("{kind:?} is neither Kustomization nor Component");
                self.problems.push(spot.at("kind").problem("InvalidKustomization", message));
                return;
            }
        };
        if !k.api_version.is_empty() && k.api_version != version {
            let message = format!("{:?} is not the apiVersion of a {kind}", k.api_version);
            let problem = spot.at("apiVersion").problem("InvalidKustomization", message);
            self.problems.push(problem.hint(format!("write {version}")));
        }
        k.images.append(&mut k.image_tags);
        for generator in k.config_map_generator.iter_mut().chain(&mut k.secret_generator) {
            if !generator.env.is_empty() {
                generator.envs.push(std::mem::take(&mut generator.env));
            }
        }
    }

    /// The first `openapi` that a build meets counts for all of it, as in kustomize.
    pub fn use_schema(&mut self, folder: &Folder) {
        let openapi = &folder.kustomization.openapi;
        let spot = folder.spot.at("openapi");
        let (version, path) = (openapi.get("version"), openapi.get("path"));
        if self.has_schema || (version.is_none() && path.is_none()) {
            return;
        }
        if let Some(path) = path {
            let loaded = self.files.load(&folder.root, path, &spot.at("path"));
            let Some((file, bytes)) = self.refuse(loaded) else { return };
            if version.is_some() {
                self.problems
                    .push(spot.problem("InvalidKustomization", "has both path and version; one of them is to go"));
                return;
            }
            let source = Source::new(file, bytes);
            let document = self.files.document(&source);
            let Some(document) = self.refuse_all(document) else { return };
            match Schema::from_openapi(&document) {
                Ok(schema) => (self.schema, self.has_schema) = (schema, true),
                Err(why) => self.problems.push(Spot::new(&Rc::new(source)).problem("InvalidSchema", why)),
            }
        } else if let Some(version) = version.filter(|version| !version.is_empty()) {
            self.has_schema = true;
            if version != "v1.21.2" {
                let problem =
                    spot.at("version").problem("InvalidKustomization", format!("there is no schema {version:?}"));
                self.problems.push(problem.hint("the one built in is v1.21.2"));
            }
        }
    }

    /// Reads the kustomization of a folder that another one names.
    pub fn enter(&mut self, folder: &Folder, entry: &str, spot: &Spot) -> Option<Folder> {
        let path = resolve(&folder.root, entry, spot).and_then(|path| self.files.real(&path, spot));
        let path = self.refuse(path)?;
        let holds = |outer: &str| outer == path || path.is_empty() || outer.starts_with(&format!("{path}/"));
        if folder.chain.iter().any(|outer| holds(outer)) {
            let chain: Vec<String> = folder.chain.iter().chain([&path]).map(|path| told(path)).collect();
            let problem =
                spot.problem("KustomizationCycle", format!("the folders include one another: {}", chain.join(" → ")));
            self.problems.push(problem.hint("a folder cannot include one that it stands in, nor one that includes it"));
            return None;
        }
        if folder.chain.len() >= self.files.limits().depth as usize {
            let most = self.files.limits().depth;
            self.problems
                .push(spot.problem("LimitExceeded", format!("folders include one another more than {most} deep")));
            return None;
        }
        let source = self.files.kustomization(&path, spot);
        let Some(source) = self.refuse(source)? else {
            let problem = self.files.no_folder(&path, spot);
            self.problems.push(problem);
            return None;
        };
        let mut child = self.read(&path, source, &folder.chain)?;
        child.kustomization.build_metadata.clone_from(&folder.kustomization.build_metadata);
        child.trail = folder.trail.as_ref().map(|trail| trail.within(entry));
        self.use_schema(&child);
        Some(child)
    }
}

fn told(path: &str) -> String {
    if path.is_empty() { ".".to_owned() } else { path.to_owned() }
}

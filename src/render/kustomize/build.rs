//! The build: every kustomization gathers its resources from files, folders and generators, and
//! changes them; at the end names are settled and everything is put in order.

use std::rc::Rc;

use serde_json::Value;

use super::super::merge::Schema;
use super::super::object;
use super::config::Config;
use super::decode::{CONFIGURATION, decode};
use super::files::{Entry, Files, Source, Spot};
use super::generate;
use super::inline::inline;
use super::metadata::Trail;
use super::plugins;
use super::resource::{Behavior, Resource};
use super::resources::Resources;
use super::steps::Steps;
use super::types::{Generator, GeneratorOptions, Kustomization, Var};
use super::{crds, vars};
use crate::object::yaml::Dialect;
use crate::object::{Manifest, Origin, Problem};

/// What was gathered so far.
#[derive(Default)]
pub struct Layer {
    /// The resources.
    pub resources: Resources,
    /// What `configurations` and `crds` added.
    pub config: Config,
    /// The vars.
    pub vars: Vec<Var>,
}

/// A folder with its kustomization.
pub struct Folder {
    /// Path from the root of the tree.
    pub root: String,
    /// What it says.
    pub kustomization: Kustomization,
    /// The document.
    pub spot: Spot,
    /// The folders that led here, and itself.
    pub chain: Vec<String>,
    /// What is told of where things come from.
    pub trail: Option<Trail>,
}

/// A build under way.
pub struct Build<'a> {
    /// What it reads.
    pub files: Files<'a>,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
    /// What is known of the lists of kinds.
    pub schema: Schema,
    /// Whether something said so; the first word counts.
    pub has_schema: bool,
    objects: u32,
}

impl<'a> Build<'a> {
    /// Nothing is read yet.
    pub fn new(files: Files<'a>) -> Self {
        Self { files, problems: Vec::new(), schema: Schema::default(), has_schema: false, objects: 0 }
    }

    /// Builds the folder `root`, whose kustomization is `source`.
    pub fn run(&mut self, root: &str, source: Source) -> Vec<Manifest> {
        let Some(mut folder) = self.read(root, source, &[]) else { return Vec::new() };
        if folder.kustomization.kind == "Component" {
            // kustomize builds one that nothing includes like any other folder.
            folder.chain.truncate(1);
        }
        if !folder.kustomization.build_metadata.is_empty() {
            folder.trail = Some(Trail::default());
        }
        self.use_schema(&folder);
        if !self.problems.is_empty() {
            return Vec::new();
        }
        let Some(layer) = self.gather(&folder, Layer::default()) else { return Vec::new() };
        let finished = super::finish::finish(layer, &folder);
        match finished {
            Ok(resources) => self.manifests(resources),
            Err(problems) => {
                self.problems.extend(problems);
                Vec::new()
            }
        }
    }

    fn manifests(&mut self, resources: Vec<Resource>) -> Vec<Manifest> {
        let mut manifests = Vec::with_capacity(resources.len());
        for resource in resources {
            let origin = resource.origin;
            match object::manifest(resource.body, origin.clone()) {
                Ok(manifest) => manifests.push(manifest),
                Err(faults) => self.problems.extend(faults.into_iter().map(|fault| fault.problem.at(&origin))),
            }
        }
        manifests
    }

    /// Notes a problem; nothing comes of what it concerns.
    pub fn refuse<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.problems.push(problem)).ok()
    }

    /// The same for several.
    pub fn refuse_all<T>(&mut self, result: Result<T, Vec<Problem>>) -> Option<T> {
        result.map_err(|problems| self.problems.extend(problems)).ok()
    }

    /// Everything that a kustomization makes. `None` where something is wrong in it.
    fn gather(&mut self, folder: &Folder, mut layer: Layer) -> Option<Layer> {
        let before = self.problems.len();
        let k = &folder.kustomization;
        let spot = &folder.spot;
        for (field, entries) in [("resources", &k.resources), ("bases", &k.bases)] {
            for (at, entry) in entries.iter().enumerate() {
                self.resource(folder, &mut layer, entry, &spot.at(field).at(at));
            }
        }
        for (at, path) in k.configurations.iter().enumerate() {
            self.configuration(folder, &mut layer, path, &spot.at("configurations").at(at));
        }
        for (at, path) in k.crds.iter().enumerate() {
            let spot = spot.at("crds").at(at);
            let config = self.files.load(&folder.root, path, &spot).map_err(|problem| vec![problem]);
            let config = config.and_then(|(file, bytes)| crds::config(&self.files, file, bytes));
            if let Some(config) = self.refuse_all(config) {
                let merged = layer.config.merge(config).map_err(|why| spot.problem("InvalidConfiguration", why));
                self.refuse(merged);
            }
        }
        self.generate(folder, &mut layer);
        for (at, path) in k.components.iter().enumerate() {
            let spot = spot.at("components").at(at);
            let Some(child) = self.enter(folder, path, &spot) else { continue };
            if child.kustomization.kind != "Component" {
                let problem = spot.problem("InvalidKustomization", format!("{path:?} is no Component"));
                self.problems.push(problem.hint("list it in resources, or make it `kind: Component`"));
                continue;
            }
            layer = self.gather(&child, layer).unwrap_or_default();
        }
        let steps = Steps::prepare(self, folder, &layer.config);
        if self.problems.len() > before {
            return None;
        }
        let applied = steps.apply(&mut layer.resources, &self.schema, folder.trail.as_ref());
        self.refuse_all(applied);
        let merged = vars::merge(&mut layer.vars, &mut layer.resources, &k.vars);
        self.refuse(merged.map_err(|why| spot.at("vars").problem("InvalidVar", why)));
        (self.problems.len() == before).then_some(layer)
    }

    /// An entry of `resources`: a file or a folder.
    pub fn resource(&mut self, folder: &Folder, layer: &mut Layer, entry: &str, spot: &Spot) {
        let found = self.files.entry(&folder.root, entry, spot);
        match self.refuse(found) {
            Some(Entry::File(file, bytes)) => {
                let mut resources = self.objects(file, bytes);
                if let Some(trail) = &folder.trail {
                    resources.iter_mut().for_each(|resource| trail.came_from(resource, entry));
                }
                self.append(layer, resources, spot);
            }
            Some(Entry::Folder) => {
                let Some(child) = self.enter(folder, entry, spot) else { return };
                if child.kustomization.kind == "Component" {
                    let problem = spot.problem("InvalidKustomization", format!("{entry:?} is a Component"));
                    self.problems.push(problem.hint("list it in components"));
                    return;
                }
                let Some(Layer { resources, config, vars }) = self.gather(&child, Layer::default()) else { return };
                self.append(layer, resources.into_all(), spot);
                let merged = layer.config.merge(config).map_err(|why| spot.problem("InvalidConfiguration", why));
                self.refuse(merged);
                let merged = vars::merge_layer(&mut layer.vars, vars);
                self.refuse(merged.map_err(|why| spot.problem("InvalidVar", why)));
            }
            None => {}
        }
    }

    fn append(&mut self, layer: &mut Layer, resources: Vec<Resource>, spot: &Spot) {
        for resource in resources {
            if let Err(twice) = layer.resources.append(resource) {
                let id = twice.current();
                let first = layer.resources.named(&id).map(|first| &first.origin);
                let first = first.map_or_else(String::new, |at| format!(", first at {}:{}", at.file, at.line));
                let problem = Problem::new("DuplicateObject", format!("the object stands twice{first}"));
                let mut problem = problem.at(&twice.origin);
                problem.object = Some(id.to_string());
                let told = spot.field();
                self.problems.push(problem.hint(format!("it was added by {told} of {}", spot.file())));
            }
        }
    }

    /// The objects of a file.
    pub fn objects(&mut self, file: String, bytes: Vec<u8>) -> Vec<Resource> {
        let (documents, problems) = self.files.documents(Dialect::Kustomize, &file, &bytes);
        self.problems.extend(problems);
        let mut resources = Vec::with_capacity(documents.len());
        let bytes = Rc::new(bytes);
        for document in documents {
            let (index, line) = (document.index, document.line);
            let spot = Spot::new(&Rc::new(Source::new(file.clone(), Rc::clone(&bytes), index)));
            for (pointer, body) in inline(document.value) {
                let within = pointer.iter().fold(spot.clone(), |spot, name| spot.at(name));
                let line = if pointer.is_empty() { line } else { within.line().unwrap_or(line) };
                let origin = Origin { file: file.clone(), line, document: index };
                if let Some(resource) = self.object(body, origin, &within) {
                    resources.push(resource);
                }
            }
        }
        resources
    }

    fn object(&mut self, body: Value, origin: Origin, spot: &Spot) -> Option<Resource> {
        let counted = self.files.count(&body, spot);
        self.refuse(counted)?;
        self.objects += 1;
        let most = self.files.limits().objects;
        if self.objects > most {
            if self.objects == most + 1 {
                let message = format!("there are more than the {most} objects that are allowed");
                self.problems.push(Problem::new("LimitExceeded", message).at(&origin));
            }
            return None;
        }
        let resource = Resource::new(body, origin);
        let has_name = !resource.name().is_empty() || resource.kind().ends_with("List");
        if resource.kind().is_empty() || !has_name {
            match object::manifest(resource.body, resource.origin.clone()) {
                Ok(_) => self
                    .problems
                    .push(Problem::new("NotAnObject", "the object has no kind or no name").at(&resource.origin)),
                Err(faults) => {
                    let origin = &resource.origin;
                    self.problems.extend(faults.into_iter().map(|fault| fault.problem.at(origin)));
                }
            }
            return None;
        }
        Some(resource)
    }

    fn configuration(&mut self, folder: &Folder, layer: &mut Layer, path: &str, spot: &Spot) {
        let loaded = self.files.load(&folder.root, path, spot);
        let Some((file, bytes)) = self.refuse(loaded) else { return };
        let source = Source::new(file, bytes, 1);
        let document = self.files.document(&source);
        let Some(document) = self.refuse_all(document) else { return };
        let at = Spot::new(&Rc::new(source));
        let config = decode::<Config>(document, CONFIGURATION, &at, "InvalidConfiguration");
        let Some(config) = self.refuse_all(config) else { return };
        let merged = layer.config.merge(config).map_err(|why| at.problem("InvalidConfiguration", why));
        self.refuse(merged);
    }

    /// Generated ConfigMaps and Secrets, in kustomize's order, and those of `generators`.
    fn generate(&mut self, folder: &Folder, layer: &mut Layer) {
        let k = &folder.kustomization;
        for (field, secret, all) in
            [("configMapGenerator", false, &k.config_map_generator), ("secretGenerator", true, &k.secret_generator)]
        {
            for (at, generator) in all.iter().enumerate() {
                let spot = folder.spot.at(field).at(at);
                let Some(mut made) = self.generated(folder, generator, k.generator_options.as_ref(), secret, &spot)
                else {
                    continue;
                };
                if let Some(trail) = &folder.trail {
                    trail.made_by(
                        &mut made,
                        &folder.spot,
                        if secret { "SecretGenerator" } else { "ConfigMapGenerator" },
                    );
                }
                self.absorb(layer, made, &spot);
            }
        }
        for made in plugins::generated(self, folder) {
            let (resource, spot) = made;
            self.absorb(layer, resource, &spot);
        }
    }

    /// One generated object.
    pub fn generated(
        &mut self,
        folder: &Folder,
        generator: &Generator,
        options: Option<&GeneratorOptions>,
        secret: bool,
        spot: &Spot,
    ) -> Option<Resource> {
        let mut wrong = None;
        let files = &mut self.files;
        let mut read = |path: &str| {
            files.load(&folder.root, path, spot).map(|(_, bytes)| bytes).map_err(|problem| {
                wrong = Some(problem);
                "cannot be read".to_owned()
            })
        };
        let made = if secret {
            generate::secret(generator, options, &mut read)
        } else {
            generate::config_map(generator, options, &mut read)
        };
        match made {
            Ok(mut resource) => {
                resource.origin = Origin { file: spot.file().to_owned(), line: spot.line().unwrap_or(1), document: 1 };
                let counted = self.files.count(&resource.body, spot);
                self.refuse(counted)?;
                Some(resource)
            }
            Err(why) => {
                self.problems.push(wrong.unwrap_or_else(|| spot.problem("InvalidGenerator", why)));
                None
            }
        }
    }

    /// Adds a generated object: a new one, or over the one of its name.
    fn absorb(&mut self, layer: &mut Layer, made: Resource, spot: &Spot) {
        let id = made.current();
        let refused = |message: String| Err(spot.problem("InvalidGenerator", message));
        let result = match (layer.resources.ever(&id), made.behavior) {
            ([], Behavior::Create) => layer
                .resources
                .append(made)
                .map_err(|_| spot.problem("DuplicateObject", format!("{id} is there already"))),
            ([], _) => refused(format!("there is no {id} to merge with or replace")),
            ([_], Behavior::Create) => refused(format!("{id} is there already; behavior is to be merge or replace")),
            ([at], behavior) => {
                let at = *at;
                let existing = layer.resources.change(at);
                let origin = Trail::origin_of(existing);
                let absorbed = generate::absorb(existing, made);
                if let (Some(origin), Behavior::Merge) = (origin, behavior) {
                    Trail::set_origin(existing, &origin);
                }
                absorbed.map_err(|why| spot.problem("InvalidGenerator", why))
            }
            (many, _) => refused(format!("{} objects are, or were, {id}", many.len())),
        };
        self.refuse(result);
    }
}

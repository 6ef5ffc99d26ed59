//! The build: every kustomization gathers its resources from files, folders and generators, and
//! changes them; at the end names are settled and everything is put in order.

mod configure;

use std::rc::Rc;

use serde_json::Value;

use super::super::merge::Schema;
use super::super::object;
use super::super::{Allowance, Needs};
use super::config::Config;
use super::files::{Entry, Files, Source, Spot};
use super::generate;
use super::inline::inline;
use super::metadata::Trail;
use super::plugins;
use super::resource::{Behavior, Resource};
use super::resources::Resources;
use super::steps::Steps;
use super::trace::Trace;
use super::types::{Generator, GeneratorOptions, Kustomization, Var};
use super::{crds, vars};
use crate::object::yaml::{self, Dialect, Document};
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
    /// What only programs can answer.
    pub needs: Needs,
    /// What may still be taken.
    pub allowance: Allowance,
    objects: u32,
}

impl<'a> Build<'a> {
    /// Nothing is read yet.
    pub fn new(files: Files<'a>) -> Self {
        let allowance = Allowance::new(files.limits());
        let (problems, schema, needs) = (Vec::new(), Schema::default(), Needs::default());
        Self { files, problems, schema, has_schema: false, needs, allowance, objects: 0 }
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
        let finished = super::finish::finish(layer, &folder, &self.allowance);
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
            let (origin, trace) = (resource.origin, resource.trace);
            match object::manifest(resource.body, origin.clone(), self.files.parts().2.names_made()) {
                Ok(mut manifest) => {
                    manifest.causes = trace.map(|trace| Box::new(trace.into_causes()));
                    manifests.push(manifest);
                }
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
        let mut added = Config::default();
        for (at, path) in k.configurations.iter().enumerate() {
            self.configuration(folder, &mut added, path, &spot.at("configurations").at(at));
        }
        self.configure(&mut layer.config, added, Config::settle, &spot.at("configurations"));
        for (at, path) in k.crds.iter().enumerate() {
            let spot = spot.at("crds").at(at);
            let config = self.files.load(&folder.root, path, &spot).map_err(|problem| vec![problem]);
            let config = config.and_then(|(file, bytes)| crds::config(&self.files, file, bytes));
            if let Some(config) = self.refuse_all(config) {
                self.configure(&mut layer.config, config, Config::define, &spot);
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
        let applied = steps.apply(&mut layer.resources, &self.schema, folder.trail.as_ref(), &self.allowance);
        self.refuse_all(applied);
        let merged = vars::merge(&mut layer.vars, &mut layer.resources, &k.vars, &self.allowance);
        let merged = merged.map_err(|why| self.allowance.passed(&spot.at("vars"), "InvalidVar", why));
        self.refuse(merged);
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
                self.configure(&mut layer.config, config, Config::merge, spot);
                let merged = vars::merge_layer(&mut layer.vars, vars, &self.allowance);
                let merged = merged.map_err(|why| self.allowance.passed(spot, "InvalidVar", why));
                self.refuse(merged);
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
        let in_brackets = bytes.trim_ascii_start().starts_with(b"{");
        let source = Source::new(file.as_str(), bytes);
        let mut places = Vec::with_capacity(documents.len());
        let mut values = Vec::with_capacity(documents.len());
        for (at, Document { line, index, value, unwritten }) in documents.into_iter().enumerate() {
            places.push((Spot::new(&Rc::new(source.document(index))), line, index, unwritten));
            values.push((at, value));
        }
        for (at, pointer, body) in inline(values.into_iter()) {
            let (spot, line, index, unwritten) = &mut places[at];
            let within = pointer.iter().fold(spot.clone(), |spot, name| spot.at(name));
            let line = if pointer.is_empty() { *line } else { within.line().unwrap_or(*line) };
            let origin = Origin { file: file.clone(), line, document: *index };
            if let Some(mut resource) = self.object(body, origin, &within) {
                resource.in_brackets = in_brackets;
                // The items of a list are written anew in kustomize, and with them every null.
                if pointer.is_empty() {
                    resource.unwritten = std::mem::take(unwritten);
                }
                resources.push(resource);
            }
        }
        resources
    }

    /// Counts what an object holds.
    fn count(&mut self, body: &Value, spot: &Spot) -> Option<()> {
        let counted = self.allowance.take(yaml::memory(body));
        self.refuse(counted.map_err(|why| spot.problem("LimitExceeded", why)))
    }

    fn object(&mut self, body: Value, origin: Origin, spot: &Spot) -> Option<Resource> {
        self.count(&body, spot)?;
        self.objects += 1;
        let most = self.files.limits().objects;
        if self.objects > most {
            if self.objects == most + 1 {
                let message = format!("there are more than the {most} objects that are allowed");
                self.problems.push(Problem::new("LimitExceeded", message).at(&origin));
            }
            return None;
        }
        let mut resource = Resource::new(body, origin);
        if self.files.explains() {
            Trace::begin(&mut resource, spot);
        }
        let has_name = !resource.name().is_empty() || resource.kind().ends_with("List");
        if resource.kind().is_empty() || !has_name {
            match object::manifest(resource.body, resource.origin.clone(), self.files.parts().2.names_made()) {
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
        for (mut made, spot) in self.charts(folder) {
            if let Some(trail) = &folder.trail {
                trail.made_by(&mut made, &folder.spot, "HelmChartInflationGenerator");
            }
            self.absorb(layer, made, &spot);
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
                self.count(&resource.body, spot)?;
                if self.files.explains() {
                    Trace::begin(&mut resource, spot);
                }
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
                let existing = layer.resources.body(at);
                let origin = Trail::origin_of(existing);
                let absorbed = generate::absorb(existing, made);
                Trace::note([&mut *existing], spot, "");
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

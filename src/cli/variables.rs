//! Values of variables, from the command line.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use zeroize::Zeroizing;

use super::stop::Stop;
use crate::object::{mask, yaml};
use crate::render::Options;
use crate::render::substitute::{self, Secrecy, Variable, is_name};

/// Values of the variables `${NAME}`. Where none of these is given, and there is no Sync with
/// variables, no text is touched.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Variables {
    /// Put this value in the place of ${NAME}; without values no ${NAME} is touched
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Take values of variables from this file: a ConfigMap, a Secret, or lines NAME=VALUE
    #[arg(long = "substitute", value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Variables {
    /// The same options with these values over their own.
    pub fn added(&self, mut options: Options) -> Result<Options, Stop> {
        if self.set.is_empty() && self.files.is_empty() {
            return Ok(options);
        }
        let mut variables = options.substitute.take().unwrap_or_default();
        for path in &self.files {
            add_file(&mut variables, path)?;
        }
        for pair in &self.set {
            let wrong = |what: &str| Stop::usage(format!("--set: {what}"), "write --set NAME=VALUE");
            let (name, value) = pair.split_once('=').ok_or_else(|| wrong("there is no = in it"))?;
            if !is_name(name) {
                return Err(wrong(&format!("{name:?} is no name: letters, digits and _, and no digit first")));
            }
            variables.set(name, Variable::new(value, "--set", Secrecy::Plain));
        }
        Ok(Options { substitute: Some(variables), ..options })
    }
}

fn add_file(variables: &mut substitute::Variables, path: &Path) -> Result<(), Stop> {
    let place = path.display().to_string();
    let bytes = fs::read(path).map(Zeroizing::new).map_err(|error| {
        Stop::usage(format!("--substitute: {place} cannot be read: {error}"), "name a file with values")
    })?;
    let (documents, _) = yaml::read(&place, &bytes, &yaml::Limits::default());
    let sources: Vec<&Value> =
        documents.iter().map(|document| &document.value).filter(|value| value["kind"].is_string()).collect();
    if sources.is_empty() {
        return add_lines(variables, &place, &bytes);
    }
    for source in sources {
        add_source(variables, &place, source)?;
    }
    Ok(())
}

/// What the data of a ConfigMap or Secret say, as the agent would read it in the cluster.
fn add_source(variables: &mut substitute::Variables, place: &str, source: &Value) -> Result<(), Stop> {
    let wrong = |what: String| {
        Stop::usage(format!("--substitute: {place}: {what}"), "name a ConfigMap, a Secret, or lines NAME=VALUE")
    };
    let secret = mask::is_secret_object(source);
    if !secret && source["kind"] != "ConfigMap" {
        return Err(wrong(format!("a {} has no values of variables", source["kind"].as_str().unwrap_or_default())));
    }
    if source.get("sops").is_some() {
        return Err(wrong("it is encrypted with SOPS".to_owned()));
    }
    let secrecy = if secret { Secrecy::Secret } else { Secrecy::Plain };
    let fields = if secret { ["data", "stringData"] } else { ["data", ""] };
    for field in fields {
        for (key, value) in source[field].as_object().into_iter().flatten().filter(|(key, _)| is_name(key)) {
            let text = value.as_str().ok_or_else(|| wrong(format!("the value of {key} is no text")))?;
            let value = if secret && field == "data" {
                STANDARD.decode(text).map_err(|_| wrong(format!("the value of {key} is not base64")))?
            } else {
                text.as_bytes().to_vec()
            };
            variables.set(key, Variable::of_source(&Zeroizing::new(value), place, secrecy));
        }
    }
    Ok(())
}

/// Lines `NAME=VALUE`, as kustomize's generators read them: empty ones and those after a # say nothing.
fn add_lines(variables: &mut substitute::Variables, place: &str, bytes: &[u8]) -> Result<(), Stop> {
    let wrong = |line: usize, what: &str| {
        Stop::usage(format!("--substitute: {place}:{line}: {what}"), "write lines NAME=VALUE, or a ConfigMap or Secret")
    };
    let text = std::str::from_utf8(bytes).map_err(|_| wrong(1, "the file is not UTF-8"))?;
    for (line, at) in text.lines().zip(1..) {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once('=').ok_or_else(|| wrong(at, "there is no = in the line"))?;
        if !is_name(name) {
            return Err(wrong(at, "what stands before the = is no name: letters, digits and _, and no digit first"));
        }
        variables.set(name, Variable::new(value, place, Secrecy::Plain));
    }
    Ok(())
}

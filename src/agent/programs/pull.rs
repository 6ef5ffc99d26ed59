//! Charts from elsewhere: brought by a box that has the network and nothing else, kept on disk by
//! what they are.
//!
//! A packed chart holds nothing secret. It is kept under its digest, and which digest a version has
//! is kept beside it: so a version that was brought once stays what it was, is brought no second
//! time, and is there when its repository is not. One that credentials opened is kept in memory
//! alone, for those who have them.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Programs;
use crate::charts::{ARGUMENT, CHART_BYTES, Pull, digest};
use crate::failure::{Failed, Fault};
use crate::render::helm::Remote;
use crate::render::{Answer, Blob};
use crate::sandbox::task::{Task, run};
use crate::sandbox::{Children, Confinement, Network, system_paths};

/// Bytes of memory: the index of a large repository has some ten million.
const MEMORY: u64 = 384 << 20;
/// Time for an index and a chart.
const DEADLINE: Duration = Duration::from_secs(150);
/// Bytes of all charts that are kept; beyond that the one goes that was not used for longest.
const KEPT: u64 = 256 << 20;

/// Brings a chart, or finds it.
///
/// # Errors
/// It cannot be brought, and was not kept.
pub async fn chart(programs: &Programs, remote: &Remote) -> Result<Answer, Failed> {
    // What credentials opened is for those who have them: it is kept in memory alone.
    let folder = programs.settings.charts.as_deref().filter(|_| remote.login.is_none());
    let kept = folder.map(Kept::at);
    if let Some(chart) = kept.as_ref().and_then(|kept| kept.find(remote)) {
        return Ok(printed(chart));
    }
    let login = remote.login.as_ref().map(|(user, password)| (text(user), text(password)));
    let request = Pull {
        repository: remote.repository.clone(),
        name: remote.name.clone(),
        version: remote.version.clone(),
        digest: remote.digest.clone(),
        login,
        ca: remote.ca.clone(),
    };
    let input =
        serde_json::to_vec(&request).map(zeroize::Zeroizing::new).map_err(|error| internal(error.to_string()))?;
    let launcher = &programs.settings.launcher;
    let proxies = ["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"];
    let task = Task {
        name: "the box that brings charts",
        launcher,
        program: launcher,
        arguments: vec![ARGUMENT.into()],
        environment: proxies.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))).collect(),
        input: &input,
        files: Vec::new(),
        confinement: Confinement {
            data_bytes: MEMORY,
            address_bytes: MEMORY + (2 << 30),
            open_files: 256,
            cpu_seconds: Some(60),
            file_bytes: Some(0),
            read: system_paths(),
            write: Vec::new(),
            network: Network::Outbound,
            ports: Vec::new(),
            children: Children::None,
            home: PathBuf::new(),
        },
        deadline: DEADLINE,
        stdout_bytes: usize::try_from(CHART_BYTES).unwrap_or(usize::MAX),
        stderr_bytes: 16 << 10,
    };
    let ran = run(task).await.map_err(|error| Failed::from(&error))?;
    if !ran.status.success() {
        let told = String::from_utf8_lossy(&ran.stderr);
        let failed = told.lines().rev().find_map(|line| serde_json::from_str::<Failed>(line).ok());
        return Err(failed.unwrap_or_else(|| internal(format!("the box that brings charts ended with {}", ran.status))));
    }
    tracing::info!(
        repository = remote.repository,
        chart = remote.name,
        bytes = ran.stdout.len(),
        "a chart was brought"
    );
    if let Some(kept) = kept
        && let Err(error) = kept.keep(remote, &ran.stdout)
    {
        tracing::warn!(%error, "the chart is not kept");
    }
    Ok(printed(ran.stdout.to_vec()))
}

fn text(secret: &Blob) -> String {
    String::from_utf8_lossy(secret.bytes()).into_owned()
}

fn printed(chart: Vec<u8>) -> Answer {
    Answer::Printed { output: Blob::new(chart), notes: String::new() }
}

fn internal(message: String) -> Failed {
    Failed::new("ChartFetchFailed", Fault::Internal, message)
}

/// Charts on disk.
struct Kept<'a> {
    folder: &'a Path,
}

impl<'a> Kept<'a> {
    fn at(folder: &'a Path) -> Self {
        Self { folder }
    }

    /// The file that says which digest this was.
    fn note(&self, remote: &Remote) -> PathBuf {
        let (version, pinned) = (remote.version.as_deref().unwrap_or("-"), remote.digest.as_deref().unwrap_or("-"));
        let key = [&remote.repository, &remote.name, version, pinned].join("\n");
        self.folder.join(digest(key.as_bytes()).replace(':', "-") + ".ref")
    }

    fn file(&self, digest: &str) -> PathBuf {
        self.folder.join(digest.replace(':', "-") + ".tgz")
    }

    /// The chart that was kept, if it still is what it was.
    fn find(&self, remote: &Remote) -> Option<Vec<u8>> {
        let known = std::fs::read_to_string(self.note(remote)).ok()?;
        let known = known.trim();
        let fine = known.strip_prefix("sha256:").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let file = self.file(known);
        let chart = if fine { std::fs::read(&file).ok()? } else { return None };
        if digest(&chart) != known {
            return None;
        }
        // When it was used last is when its file was touched last.
        let touched = std::fs::File::options().append(true).open(file);
        let _ = touched.and_then(|file| file.set_modified(std::time::SystemTime::now()));
        Some(chart)
    }

    fn keep(&self, remote: &Remote, chart: &[u8]) -> io::Result<()> {
        std::fs::create_dir_all(self.folder)?;
        let known = digest(chart);
        self.write(&self.file(&known), chart)?;
        self.write(&self.note(remote), known.as_bytes())?;
        self.sweep()
    }

    /// Whole or not at all.
    fn write(&self, file: &Path, content: &[u8]) -> io::Result<()> {
        let mut new = tempfile::NamedTempFile::new_in(self.folder)?;
        io::Write::write_all(&mut new, content)?;
        new.persist(file).map(|_| ()).map_err(|error| error.error)
    }

    fn sweep(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(self.folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            files.push((metadata.modified()?, metadata.len(), entry.path()));
        }
        files.sort();
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in files {
            if total <= KEPT {
                break;
            }
            std::fs::remove_file(path)?;
            total -= size;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(version: &str) -> Remote {
        Remote {
            repository: "https://charts.example.com".to_owned(),
            name: "web".to_owned(),
            version: Some(version.to_owned()),
            digest: None,
            login: None,
            ca: None,
        }
    }

    #[test]
    fn a_chart_that_was_kept_is_found_and_one_that_was_changed_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = Kept::at(folder.path());
        assert_eq!(kept.find(&remote("1.0.0")), None);
        kept.keep(&remote("1.0.0"), b"packed").expect("keeps");
        assert_eq!(kept.find(&remote("1.0.0")).as_deref(), Some(&b"packed"[..]));
        assert_eq!(kept.find(&remote("1.0.1")), None);
        std::fs::write(kept.file(&digest(b"packed")), "other").expect("writes");
        assert_eq!(kept.find(&remote("1.0.0")), None);
    }
}

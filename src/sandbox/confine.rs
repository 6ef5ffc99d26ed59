//! What a child may not do, laid on by the child itself before it reads any hostile input.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Limits that a child lays on itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Confinement {
    /// Bytes of writable memory (`RLIMIT_DATA`); mapped pack files do not count.
    pub data_bytes: u64,
    /// Bytes of address space (`RLIMIT_AS`), mapped pack files included.
    pub address_bytes: u64,
    /// Open files.
    pub open_files: u64,
    /// Files and folders that it may read. What is missing is left out.
    pub read: Vec<PathBuf>,
    /// Folders in which it may also write.
    pub write: Vec<PathBuf>,
    /// Whether it may open connections.
    pub network: Network,
    /// Its own home folder, empty at first and removed after it.
    pub home: PathBuf,
}

/// Whether a child may open connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// It may connect to others.
    Outbound,
    /// It may not.
    None,
}

/// Lays the limits on this process. Returns one line on how far the kernel enforces them.
/// `parent` is the process that must not be outlived.
pub(super) fn confine(limits: &Confinement, parent: u32) -> String {
    let mut parts = vec![limit::resources(limits)];
    parts.push(limit::die_with(parent));
    parts.push(files::restrict(limits));
    parts.join(", ")
}

#[cfg(unix)]
mod limit {
    use super::Confinement;

    pub fn resources(limits: &Confinement) -> String {
        let results = [
            set(libc::RLIMIT_CORE, 0),
            set(libc::RLIMIT_NOFILE, limits.open_files),
            set(libc::RLIMIT_AS, limits.address_bytes),
            set(libc::RLIMIT_DATA, limits.data_bytes),
        ];
        let failed = results.iter().filter(|done| !**done).count();
        if failed == 0 { "resource limits set".to_owned() } else { format!("{failed} of 4 resource limits refused") }
    }

    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    type Resource = libc::__rlimit_resource_t;
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    type Resource = libc::c_int;

    fn set(resource: Resource, value: u64) -> bool {
        let wanted = libc::rlimit { rlim_cur: value, rlim_max: value };
        // SAFETY: `setrlimit` only reads the structure that it is given, which lives until it returns.
        #[allow(unsafe_code)]
        let result = unsafe { libc::setrlimit(resource, &wanted) };
        result == 0
    }

    /// The kernel kills this process when the thread that started it ends.
    #[cfg(target_os = "linux")]
    pub fn die_with(parent: u32) -> String {
        // SAFETY: `prctl` with these arguments only sets a number in this process.
        #[allow(unsafe_code)]
        let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        if std::os::unix::process::parent_id() != parent {
            // It died before the line above.
            std::process::exit(0);
        }
        if result == 0 { "dies with its parent".to_owned() } else { "may outlive its parent".to_owned() }
    }

    /// A thread that looks for the parent: there is no signal for it here.
    #[cfg(not(target_os = "linux"))]
    pub fn die_with(parent: u32) -> String {
        std::thread::spawn(move || {
            while std::os::unix::process::parent_id() == parent {
                std::thread::sleep(std::time::Duration::from_secs(1));
            }
            std::process::exit(0);
        });
        "dies with its parent".to_owned()
    }
}

#[cfg(not(unix))]
mod limit {
    use super::Confinement;

    pub fn resources(_: &Confinement) -> String {
        "no resource limits on this system".to_owned()
    }

    pub fn die_with(_: u32) -> String {
        "may outlive its parent".to_owned()
    }
}

#[cfg(target_os = "linux")]
mod files {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
        path_beneath_rules,
    };

    use super::{Confinement, Network};

    /// The newest interface whose rights are asked for; an older kernel enforces fewer of them.
    const ABI: ABI = ABI::V6;

    pub fn restrict(limits: &Confinement) -> String {
        match try_restrict(limits) {
            Ok(RulesetStatus::FullyEnforced) => "Landlock enforced".to_owned(),
            Ok(RulesetStatus::PartiallyEnforced) => "Landlock enforced in part".to_owned(),
            Ok(RulesetStatus::NotEnforced) => "Landlock not in this kernel".to_owned(),
            Err(error) => format!("Landlock failed: {error}"),
        }
    }

    fn try_restrict(limits: &Confinement) -> Result<RulesetStatus, RulesetError> {
        let network = match limits.network {
            Network::Outbound => AccessNet::BindTcp.into(),
            Network::None => AccessNet::from_all(ABI),
        };
        let status = Ruleset::default()
            .handle_access(AccessFs::from_all(ABI))?
            .handle_access(network)?
            .scope(Scope::from_all(ABI))?
            .create()?
            .add_rules(path_beneath_rules(&limits.read, AccessFs::from_read(ABI)))?
            .add_rules(path_beneath_rules(limits.write.iter().chain([&limits.home]), AccessFs::from_all(ABI)))?
            .restrict_self()?;
        Ok(status.ruleset)
    }
}

#[cfg(not(target_os = "linux"))]
mod files {
    use super::Confinement;

    pub fn restrict(_: &Confinement) -> String {
        "no Landlock on this system".to_owned()
    }
}

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
    /// Seconds of processor time; as many as it likes unless said.
    #[serde(default)]
    pub cpu_seconds: Option<u64>,
    /// Bytes of a file that it writes; as many as it likes unless said.
    #[serde(default)]
    pub file_bytes: Option<u64>,
    /// Files and folders that it may read. What is missing is left out.
    pub read: Vec<PathBuf>,
    /// Folders in which it may also write.
    pub write: Vec<PathBuf>,
    /// Whether it may open connections.
    pub network: Network,
    /// TCP ports to which it may open them, where the kernel has Landlock; any where none is named.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// Whether it may start processes of its own.
    pub children: Children,
    /// Its own home folder, empty at first and removed after it.
    pub home: PathBuf,
}

/// Whether a child may open connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// It may connect to others.
    Outbound,
    /// It may not: where the kernel has seccomp it gets no socket of any kind, so no name is looked
    /// up either; where it has Landlock alone, no TCP connection.
    None,
}

/// Whether a child may start processes of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Children {
    /// It may. They end with it.
    Allowed,
    /// It may not, where the kernel has seccomp. Threads are no processes.
    None,
}

/// What any program of this system reads: libraries, certificates, names of hosts, time zones.
pub fn system_paths() -> Vec<PathBuf> {
    let paths = [
        "/lib",
        "/lib64",
        "/usr/lib",
        "/usr/lib64",
        "/usr/local/lib",
        "/etc/ld.so.cache",
        "/etc/ssl",
        "/etc/pki",
        "/etc/ca-certificates",
        "/usr/share/ca-certificates",
        "/usr/local/share/ca-certificates",
        "/etc/resolv.conf",
        "/etc/hosts",
        "/etc/host.conf",
        "/etc/nsswitch.conf",
        "/etc/gai.conf",
        "/etc/services",
        "/etc/localtime",
        "/usr/share/zoneinfo",
        "/dev/null",
        "/dev/urandom",
        "/dev/random",
        "/proc/self",
        "/proc/sys/vm",
        "/sys/devices/system/cpu",
        "/sys/fs/cgroup",
    ];
    paths.iter().map(PathBuf::from).collect()
}

/// Lays the limits on this process. Returns one line on how far the kernel enforces them.
/// `parent` is the process that must not be outlived.
pub(super) fn confine(limits: &Confinement, parent: u32) -> String {
    let mut parts = vec![limit::resources(limits)];
    parts.push(limit::die_with(parent));
    parts.push(files::restrict(limits));
    parts.push(calls::restrict(limits));
    parts.join(", ")
}

#[cfg(unix)]
mod limit {
    use super::Confinement;

    pub fn resources(limits: &Confinement) -> String {
        let mut results = vec![
            set(libc::RLIMIT_CORE, 0),
            set(libc::RLIMIT_NOFILE, limits.open_files),
            set(libc::RLIMIT_AS, limits.address_bytes),
            set(libc::RLIMIT_DATA, limits.data_bytes),
        ];
        // The first limit asks, so that a program can say what became of it, the second does not.
        results.extend(limits.cpu_seconds.map(|seconds| between(libc::RLIMIT_CPU, seconds, seconds + 2)));
        results.extend(limits.file_bytes.map(|bytes| set(libc::RLIMIT_FSIZE, bytes)));
        let (failed, all) = (results.iter().filter(|done| !**done).count(), results.len());
        if failed == 0 {
            "resource limits set".to_owned()
        } else {
            format!("{failed} of {all} resource limits refused")
        }
    }

    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    type Resource = libc::__rlimit_resource_t;
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    type Resource = libc::c_int;

    fn set(resource: Resource, value: u64) -> bool {
        between(resource, value, value)
    }

    fn between(resource: Resource, soft: u64, hard: u64) -> bool {
        let wanted = libc::rlimit { rlim_cur: soft, rlim_max: hard };
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
        ABI, Access, AccessFs, AccessNet, NetPort, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
        RulesetStatus, Scope, path_beneath_rules,
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
            Network::Outbound if limits.ports.is_empty() => AccessNet::BindTcp.into(),
            Network::Outbound | Network::None => AccessNet::from_all(ABI),
        };
        let open = if limits.network == Network::Outbound { limits.ports.as_slice() } else { &[] };
        let ports = open.iter().map(|port| Ok::<_, RulesetError>(NetPort::new(*port, AccessNet::ConnectTcp)));
        // What is written there goes nowhere.
        let nowhere = std::path::PathBuf::from("/dev/null");
        let write = limits.write.iter().chain([&limits.home, &nowhere]);
        let status = Ruleset::default()
            .handle_access(AccessFs::from_all(ABI))?
            .handle_access(network)?
            .scope(Scope::from_all(ABI))?
            .create()?
            .add_rules(ports)?
            .add_rules(path_beneath_rules(&limits.read, AccessFs::from_read(ABI)))?
            .add_rules(path_beneath_rules(write, AccessFs::from_all(ABI)))?
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

/// System calls: Landlock knows TCP alone, and neither names nor processes.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
mod calls {
    use std::collections::BTreeMap;

    use seccompiler::{
        BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule,
    };

    use super::{Children, Confinement, Network};

    pub fn restrict(limits: &Confinement) -> String {
        let mut refused: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
        if limits.network == Network::None {
            refused.extend([(libc::SYS_socket, Vec::new()), (libc::SYS_io_uring_setup, Vec::new())]);
        }
        if limits.children == Children::None {
            #[cfg(target_arch = "x86_64")]
            refused.extend([(libc::SYS_fork, Vec::new()), (libc::SYS_vfork, Vec::new())]);
            match no_thread() {
                Ok(rule) => refused.insert(libc::SYS_clone, vec![rule]),
                Err(error) => return format!("seccomp failed: {error}"),
            };
            // Its flags stand in memory, where no filter looks; told that it is missing, libraries
            // take the older call.
            if let Err(error) = lay(BTreeMap::from([(libc::SYS_clone3, Vec::new())]), libc::ENOSYS) {
                return error;
            }
        }
        if refused.is_empty() {
            return "all system calls".to_owned();
        }
        lay(refused, libc::EACCES).map_or_else(|error| error, |()| "seccomp enforced".to_owned())
    }

    /// A clone that is no thread of the same process.
    fn no_thread() -> Result<SeccompRule, BackendError> {
        let thread = libc::CLONE_THREAD as u64;
        let flags = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(thread), 0)?;
        SeccompRule::new(vec![flags])
    }

    fn lay(calls: BTreeMap<i64, Vec<SeccompRule>>, errno: i32) -> Result<(), String> {
        let refuse = SeccompAction::Errno(u32::try_from(errno).unwrap_or_default());
        let told = |error: &dyn std::fmt::Display| format!("seccomp failed: {error}");
        let machine = std::env::consts::ARCH.try_into().map_err(|error: BackendError| told(&error))?;
        let filter = SeccompFilter::new(calls, SeccompAction::Allow, refuse, machine).map_err(|error| told(&error))?;
        let program: BpfProgram = filter.try_into().map_err(|error: BackendError| told(&error))?;
        seccompiler::apply_filter(&program).map_err(|error| told(&error))
    }
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))))]
mod calls {
    use super::Confinement;

    pub fn restrict(_: &Confinement) -> String {
        "no seccomp on this system".to_owned()
    }
}

//! libgit2's settings of the whole process.

use std::path::Path;
use std::sync::OnceLock;

use super::error::{GitError, Kind};
use super::{ssh, transport};

/// Bytes of pack files that are mapped at a time.
const MAPPED_BYTES: usize = 128 << 20;
/// Bytes of one window into a pack file.
const WINDOW_BYTES: usize = 8 << 20;
/// Bytes of parsed objects that are kept.
const OBJECT_CACHE_BYTES: isize = 8 << 20;
/// Time that libgit2's own connections (SSH) wait for one answer, in milliseconds.
const SOCKET_MILLISECONDS: i32 = 20_000;

/// Sets libgit2 up: no configuration but ours, bounded memory, objects verified, HTTP through our
/// own transport. Must be called once, before any thread uses libgit2; later calls do nothing.
/// `home` is this process's own home folder, thrown away with it: files that only libraries read
/// are written there.
///
/// # Errors
/// libgit2 refuses a setting.
pub fn prepare(home: &Path) -> Result<(), GitError> {
    static DONE: OnceLock<Result<(), String>> = OnceLock::new();
    let done = DONE.get_or_init(|| {
        // A second provider in the process is no fault: it is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        ssh::live_in(home.to_owned());
        set().map_err(|e| e.message().to_owned())
    });
    done.clone().map_err(|message| GitError::new(Kind::CacheFailed, "", format!("libgit2 cannot be set up: {message}")))
}

fn set() -> Result<(), git2::Error> {
    use git2::{ConfigLevel, opts};
    opts::strict_hash_verification(true);
    opts::strict_object_creation(true);
    // SAFETY: these write variables of libgit2 without a lock. They run once, inside `OnceLock`,
    // before this process has used libgit2 for anything else, so nobody reads meanwhile.
    #[allow(unsafe_code)]
    unsafe {
        for level in [ConfigLevel::ProgramData, ConfigLevel::System, ConfigLevel::XDG, ConfigLevel::Global] {
            opts::set_search_path(level, "")?;
        }
        // The cache folder is a volume, which may belong to another user than the process.
        opts::set_verify_owner_validation(false)?;
        opts::set_mwindow_mapped_limit(MAPPED_BYTES)?;
        opts::set_mwindow_size(WINDOW_BYTES)?;
        opts::set_mwindow_file_limit(64)?;
        opts::set_cache_max_size(OBJECT_CACHE_BYTES)?;
        opts::set_server_connect_timeout_in_milliseconds(SOCKET_MILLISECONDS / 2)?;
        opts::set_server_timeout_in_milliseconds(SOCKET_MILLISECONDS)?;
        git2::transport::register("http", transport::over_http)?;
        git2::transport::register("https", transport::over_http)?;
    }
    Ok(())
}

//! A packed chart, unpacked in memory.

use std::collections::BTreeMap;
use std::io::{self, Read};

use flate2::read::GzDecoder;
use tar::EntryType;

use crate::render::Blob;

/// Bytes of all files together.
const BYTES: u64 = 64 << 20;
/// Files.
const FILES: usize = 10_000;

/// Whether a path is that of a packed chart.
pub fn is_one(path: &str) -> bool {
    path.ends_with(".tgz") || path.ends_with(".tar.gz")
}

/// Files by their paths, without the one folder that a chart is packed in.
///
/// # Errors
/// It is no such archive, holds something other than files and folders, a path that leaves it, or
/// more than is allowed.
pub fn unpack(bytes: &[u8]) -> Result<BTreeMap<String, Blob>, String> {
    let told = |error: io::Error| format!("it is no archive of a chart: {error}");
    let mut files = BTreeMap::new();
    // What is beyond the limit is not read, so that a small archive of much nothing costs little.
    let mut archive = tar::Archive::new(GzDecoder::new(bytes).take(BYTES + (FILES as u64) * 1024));
    let mut total = 0;
    for entry in archive.entries().map_err(told)? {
        let mut entry = entry.map_err(told)?;
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            other => return Err(format!("it holds something that is neither file nor folder: {other:?}")),
        }
        let path = String::from_utf8(entry.path_bytes().into_owned())
            .map_err(|_| "it holds a path that is not UTF-8".to_owned())?;
        let path = path.trim_start_matches("./");
        let Some((_, path)) = path.split_once('/') else {
            return Err(format!("{path:?} stands outside the chart's folder"));
        };
        if path.is_empty() || path.contains(['\\', '\0']) || path.split('/').any(|part| matches!(part, "" | "." | ".."))
        {
            return Err(format!("{path:?} is no path in a chart"));
        }
        total += entry.size();
        if total > BYTES || files.len() >= FILES {
            return Err(format!("it holds more than the {BYTES} bytes in {FILES} files that are allowed"));
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(told)?;
        files.insert(path.to_owned(), Blob::new(content));
    }
    Ok(files)
}

#[cfg(test)]
pub mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// Packs files, with nothing checked.
    pub fn pack(files: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, kind, content) in files {
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, *content).expect("appends");
        }
        let mut zip = builder.into_inner().expect("packs");
        zip.flush().expect("flushes");
        zip.finish().expect("zips")
    }

    #[test]
    fn a_chart_is_unpacked_and_nothing_else_is() {
        let file = EntryType::Regular;
        let good = pack(&[
            ("web/Chart.yaml", file, b"name: web"),
            ("web/templates/", EntryType::Directory, b""),
            ("web/templates/a.yaml", file, b"a"),
        ]);
        let files = unpack(&good).expect("unpacks");
        assert_eq!(files.keys().collect::<Vec<_>>(), ["Chart.yaml", "templates/a.yaml"]);
        for (bad, words) in [
            (pack(&[("web/../../etc/x", file, b"x")]), "no path in a chart"),
            (pack(&[("Chart.yaml", file, b"x")]), "outside the chart's folder"),
            (pack(&[("web/link", EntryType::Symlink, b"")]), "neither file nor folder"),
            (b"not a zip".to_vec(), "no archive"),
            (good[..good.len() / 2].to_vec(), "no archive"),
        ] {
            let said = unpack(&bad).expect_err(words);
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn a_small_archive_of_much_nothing_is_refused() {
        let nothing = vec![0; 9 << 20];
        let names: Vec<String> = (0..8).map(|n| format!("web/{n}")).collect();
        let files: Vec<_> = names.iter().map(|name| (name.as_str(), EntryType::Regular, &nothing[..])).collect();
        let bomb = pack(&files);
        assert!(bomb.len() < 1 << 20, "{}", bomb.len());
        assert!(unpack(&bomb).expect_err("too much").contains("more than"));
    }
}

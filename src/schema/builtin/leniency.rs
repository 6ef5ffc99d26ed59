//! Where the API server is more lenient than its OpenAPI: fields that it calls required and takes
//! empty. Found, and held, by asking a real one (tests/schema.rs).

/// Whether a field of a definition may be left out although it is called required.
pub fn may_be_empty(definition: &str, field: &str) -> bool {
    EMPTY.binary_search(&(short(definition), field)).is_ok()
}

/// Whether nothing is asked of what stands in a field: the API server drops what it cannot use.
pub fn may_be_anything(definition: &str, field: &str) -> bool {
    (short(definition), field) == ("PersistentVolumeClaimSpec", "dataSource")
}

/// Definition and field, sorted.
const EMPTY: &[(&str, &str)] = &[
    ("CSINodeSpec", "drivers"),
    ("ClusterRole", "rules"),
    ("ClusterTrustBundleProjection", "path"),
    ("ControllerRevision", "revision"),
    ("ForNode", "name"),
    ("ForZone", "name"),
    ("HTTPHeader", "value"),
    ("ISCSIPersistentVolumeSource", "lun"),
    ("ISCSIVolumeSource", "lun"),
    ("LimitRangeSpec", "limits"),
    ("PodFailurePolicy", "rules"),
    ("PriorityClass", "value"),
    ("Role", "rules"),
    ("SleepAction", "seconds"),
    ("Sysctl", "value"),
    ("TokenRequest", "audience"),
];

/// `Sysctl` of `io.k8s.api.core.v1.Sysctl`.
fn short(definition: &str) -> &str {
    definition.rsplit_once('.').map_or(definition, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_table_is_sorted() {
        assert!(super::EMPTY.is_sorted());
    }
}

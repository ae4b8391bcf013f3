//! What comes along with the library, where a program takes it alone.

use std::collections::BTreeSet;
use std::process::Command;

use crate::kit::said;

/// `htc-split = { version = "0.1", default-features = false }` in a program's Cargo.toml.
pub(crate) fn the_library_has_few_dependencies() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["tree", "--offline", "--locked", "--edges", "normal"]);
    cargo.args(["--no-default-features", "--prefix", "none", "--format", "{p}"]);
    let output = cargo.output().expect("started");
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let names: BTreeSet<_> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    let expected = "bitflags cfg-if crc32fast errno htc-split itoa libc linux-raw-sys memchr num-traits proc-macro2 quote rmp \
        rmp-serde rustix serde serde_core serde_derive serde_json signal-hook signal-hook-registry syn thiserror thiserror-impl \
        unicode-ident zmij";
    assert_eq!(names.into_iter().collect::<Vec<_>>().join(" "), expected);
}

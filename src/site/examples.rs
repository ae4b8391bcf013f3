//! Profiles to start from.

/// The examples, by the pool's name: those of examples/sites/.
pub const EXAMPLES: [(&str, &str); 3] = [
    ("orangegrid", include_str!("../../examples/sites/orangegrid.toml")),
    ("chtc", include_str!("../../examples/sites/chtc.toml")),
    ("ospool", include_str!("../../examples/sites/ospool.toml")),
];

/// The example of that name.
#[must_use]
pub fn example(name: &str) -> Option<&'static str> {
    EXAMPLES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::site::{Profile, SiteError};

    #[test]
    fn every_example_is_a_profile() {
        for (name, text) in EXAMPLES {
            let filled = text.replace("FILL-IN", "x");
            let profile = Profile::read(Path::new(name), &filled).unwrap_or_else(|error| panic!("{error}"));
            assert!(profile.name.is_some(), "{name}");
        }
    }

    #[test]
    fn what_is_to_be_filled_in_is_asked_for() {
        let text = example("ospool").expect("there");
        let error = Profile::read(Path::new("ospool.toml"), text).expect_err("to be filled in");
        assert!(matches!(error, SiteError::FillIn { .. }), "{error}");
        assert!(error.to_string().contains("set ProjectName: "), "{error}");
    }
}

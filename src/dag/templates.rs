//! The templates, and what is wrong with one.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value};

use crate::plan::Identity;

/// The templates' text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Templates {
    /// By name, in the order of [`Templates::NAMES`].
    texts: [String; 10],
}

/// A template that cannot be used: where, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template {name}, line {line}: {why}")]
pub struct TemplateError {
    /// The template's name.
    pub name: &'static str,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, with the variable where it is about one.
    pub why: String,
}

impl Templates {
    /// The templates' names; a folder of one's own may hold any of them.
    pub const NAMES: [&'static str; 10] = [
        "plan.dag",
        "node.dag",
        "tail.dag",
        "probe.dag",
        "chain.dag",
        "segment.dag",
        "chunk.sub",
        "merge.sub",
        "reduce.sub",
        "dagman.config",
    ];

    /// Those that come with `split`.
    #[must_use]
    pub fn built_in() -> Self {
        Self {
            texts: [
                include_str!("../../dag-templates/plan.dag").to_owned(),
                include_str!("../../dag-templates/node.dag").to_owned(),
                include_str!("../../dag-templates/tail.dag").to_owned(),
                include_str!("../../dag-templates/probe.dag").to_owned(),
                include_str!("../../dag-templates/chain.dag").to_owned(),
                include_str!("../../dag-templates/segment.dag").to_owned(),
                include_str!("../../dag-templates/chunk.sub").to_owned(),
                include_str!("../../dag-templates/merge.sub").to_owned(),
                include_str!("../../dag-templates/reduce.sub").to_owned(),
                include_str!("../../dag-templates/dagman.config").to_owned(),
            ],
        }
    }

    /// Replaces the template `name`.
    ///
    /// # Panics
    /// Where there is none of that name.
    pub fn replace(&mut self, name: &str, text: String) {
        let place = Self::NAMES.iter().position(|known| *known == name).expect("one of NAMES");
        self.texts[place] = text;
    }

    /// The text of the template `name`.
    ///
    /// # Panics
    /// Where there is none of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        let place = Self::NAMES.iter().position(|known| *known == name).expect("one of NAMES");
        &self.texts[place]
    }

    /// The identity of all of them.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let mut hasher = blake3::Hasher::new();
        for text in &self.texts {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        Identity::of(&hasher)
    }

    /// Renders the template `name`.
    pub(super) fn render(&self, name: &'static str, values: &Value) -> Result<String, TemplateError> {
        let text = self.get(name);
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut syntax = SyntaxConfig::builder();
        environment.set_syntax(
            syntax.keep_trailing_newline(true).trim_blocks(true).lstrip_blocks(true).build().expect("the usual marks"),
        );
        environment.set_debug(true);
        let template = environment.template_from_named_str(name, text);
        template.and_then(|template| template.render(values)).map_err(|error| {
            let expression = error.range().and_then(|range| text.get(range)).map(str::trim).filter(|it| !it.is_empty());
            let kind = error.kind();
            let why = match (kind, expression) {
                (minijinja::ErrorKind::UndefinedError, Some(variable)) => format!("there is no variable `{variable}`"),
                (_, Some(expression)) => format!("{} at `{expression}`", error.detail().unwrap_or(&kind.to_string())),
                (_, None) => error.detail().map_or_else(|| kind.to_string(), str::to_owned),
            };
            TemplateError { name, line: error.line().unwrap_or(1), why }
        })
    }
}

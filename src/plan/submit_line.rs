//! A line of a submit file, as users and sites add them.

/// Commands of a submit file that the plan itself sets, and how to say what is meant instead.
const OURS: [(&str, &str); 34] = [
    ("executable", "the command after -- is what runs"),
    ("arguments", "the command after -- is what runs"),
    ("universe", "use --container for containers"),
    ("container_image", "use --container"),
    ("initialdir", "partials would not come back to outputs/"),
    ("transfer_input_files", "use --input"),
    ("transfer_output_files", "partials would not come back"),
    ("should_transfer_files", "use --shared-filesystem"),
    ("when_to_transfer_output", "partials of failed jobs would not come back"),
    ("log", "split follows the jobs in logs/events.log"),
    ("request_cpus", "use --cpus"),
    ("request_memory", "use --memory"),
    ("memory_holds", OTHER_NAME),
    ("memory_before", OTHER_NAME),
    ("for_memory", OTHER_NAME),
    ("may_pass", OTHER_NAME),
    ("held", OTHER_NAME),
    ("request_disk", "use --disk"),
    ("environment", "use --env"),
    ("getenv", "use --getenv"),
    ("request_gpus", "use --gpus"),
    ("max_retries", "use --retries"),
    ("chunk", OTHER_NAME),
    ("start", OTHER_NAME),
    ("stop", OTHER_NAME),
    ("shard", OTHER_NAME),
    ("group", OTHER_NAME),
    ("waited", OTHER_NAME),
    ("elsewhere", OTHER_NAME),
    ("transfer_executable", "use --shared-filesystem, which transfers nothing"),
    ("job_machine_attrs", SEEN_MACHINES),
    ("job_machine_attrs_history_length", SEEN_MACHINES),
    ("docker_image", "use --container docker://IMAGE"),
    ("env", "use --env"),
];

const OTHER_NAME: &str = "chunk.sub uses this name for something of its own: take another one";
const SEEN_MACHINES: &str =
    "a job that failed finds another machine by it; a chunk.sub of your own may do without: --templates DIR";

/// A line `NAME = VALUE`, `+Name = VALUE` or `MY.Name = VALUE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubmitLine<'a> {
    /// As written before the sign, with `+` or `MY.`.
    pub name: &'a str,
    /// What stands after the sign, without blanks around it.
    pub value: &'a str,
}

/// Why a text is no line to add to a submit file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitLineError {
    /// More than one line.
    #[error("more than one line")]
    Lines,
    /// Of another form.
    #[error("not of the form NAME = VALUE")]
    Form,
    /// The plan sets it.
    #[error("the plan sets {name} itself")]
    Ours {
        /// The command of the submit file.
        name: &'static str,
        /// How to say what is meant.
        instead: &'static str,
    },
    /// It would take the place of the requirements instead of adding to them.
    #[error("it replaces the plan's and the pool's own requirements")]
    Replaces,
    /// A condition that cannot be put between parentheses.
    #[error("the condition {0}")]
    Condition(&'static str),
}

impl<'a> SubmitLine<'a> {
    /// Takes a line apart; says nothing of what it sets.
    ///
    /// # Errors
    /// Where it is not one line of the form NAME = VALUE.
    pub fn parse(line: &'a str) -> Result<Self, SubmitLineError> {
        if line.contains(['\n', '\r', '\0']) || line.trim_end().ends_with('\\') {
            return Err(SubmitLineError::Lines);
        }
        let (name, value) = line.split_once('=').ok_or(SubmitLineError::Form)?;
        let (name, value) = (name.trim(), value.trim());
        let plain = plain_name(name);
        if plain.is_empty() || !plain.chars().all(|letter| letter.is_ascii_alphanumeric() || "_.".contains(letter)) {
            return Err(SubmitLineError::Form);
        }
        Ok(Self { name, value })
    }

    /// The condition, where the line is `requirements = CONDITION`.
    ///
    /// # Errors
    /// Where the line sets what the plan itself sets, or its condition cannot be put between parentheses.
    pub fn requirement(&self) -> Result<Option<&'a str>, SubmitLineError> {
        self.requirement_where(&[])
    }

    /// The same, where the line may set those of the plan's commands that are `allowed`.
    ///
    /// # Errors
    /// Those of [`SubmitLine::requirement`].
    pub fn requirement_where(&self, allowed: &[&str]) -> Result<Option<&'a str>, SubmitLineError> {
        let bare = bare_name(self.name);
        let ours = OURS.iter().find(|(ours, _)| bare == bare_name(ours));
        if let Some((name, instead)) = ours.filter(|(name, _)| !allowed.contains(name)) {
            return Err(SubmitLineError::Ours { name, instead });
        }
        self.condition()
    }

    /// The condition, where the line is `requirements = CONDITION`; whatever else it sets is not looked at.
    ///
    /// # Errors
    /// Where the condition cannot be put between parentheses.
    pub fn condition(&self) -> Result<Option<&'a str>, SubmitLineError> {
        if !plain_name(self.name).eq_ignore_ascii_case("requirements") {
            return Ok(None);
        }
        if plain_name(self.name).len() < self.name.len() {
            return Err(SubmitLineError::Replaces);
        }
        check_condition(self.value).map(|()| Some(self.value))
    }

    /// Whether both set the same: HTCondor looks at no letter's case.
    #[must_use]
    pub fn sets_the_same_as(&self, other: &SubmitLine<'_>) -> bool {
        let attribute = |line: &SubmitLine<'_>| plain_name(line.name).len() < line.name.len();
        attribute(self) == attribute(other) && plain_name(self.name).eq_ignore_ascii_case(plain_name(other.name))
    }
}

/// A condition on execute points, such as `HasAVX2 && Arch == "X86_64"`, can stand between parentheses beside others.
///
/// # Errors
/// Where it is empty, or its quotes or parentheses do not match.
pub fn check_condition(text: &str) -> Result<(), SubmitLineError> {
    let wrong = |what| Err(SubmitLineError::Condition(what));
    if text.trim().is_empty() {
        return wrong("is empty");
    }
    if text.contains(['\n', '\r', '\0']) || text.trim_end().ends_with('\\') {
        return Err(SubmitLineError::Lines);
    }
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    for letter in text.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted && depth == 0 => return wrong("closes a parenthesis that was not opened"),
            ')' if !quoted => depth -= 1,
            _ => {}
        }
    }
    match (quoted, depth) {
        (true, _) => wrong("has a quote without an end"),
        (false, 0) => Ok(()),
        (false, _) => wrong("has a parenthesis that is not closed"),
    }
}

/// The name as HTCondor's own attributes are found by: `RequestMemory` and `+RequestMemory` are `request_memory`.
fn bare_name(name: &str) -> String {
    plain_name(name).replace('_', "").to_ascii_lowercase()
}

/// The name without `+` or `MY.`, which make it an attribute of the job.
fn plain_name(name: &str) -> &str {
    let my = |name: &str| name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("MY."));
    name.strip_prefix('+').unwrap_or(if my(name) { &name[3..] } else { name })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn requirement(line: &str) -> Result<Option<&str>, String> {
        SubmitLine::parse(line).and_then(|line| line.requirement()).map_err(|error| error.to_string())
    }

    #[test]
    fn requirements_in_any_case_and_nothing_else() {
        assert_eq!(requirement("requirements = HasAVX2"), Ok(Some("HasAVX2")));
        assert_eq!(requirement("Requirements=(a == 1) || x == \"(\""), Ok(Some("(a == 1) || x == \"(\"")));
        assert_eq!(requirement("+ProjectName = \"x\""), Ok(None));
        assert_eq!(requirement("rank = Mips"), Ok(None));
        let wrong = |line: &str, why: &str| assert_eq!(requirement(line), Err(why.to_owned()), "{line}");
        wrong("requirements =", "the condition is empty");
        wrong("requirements = a) || (b", "the condition closes a parenthesis that was not opened");
        wrong("requirements = ((a)", "the condition has a parenthesis that is not closed");
        wrong("requirements = x == \"a", "the condition has a quote without an end");
        wrong("requirements = a \\", "more than one line");
        wrong("+Requirements = a", "it replaces the plan's and the pool's own requirements");
        wrong("my.requirements = a", "it replaces the plan's and the pool's own requirements");
        wrong("Request_GPUs = 1", "the plan sets request_gpus itself");
        wrong("RequestMemory = 3", "the plan sets request_memory itself");
        wrong("+RequestGpus = 1", "the plan sets request_gpus itself");
        wrong("my.Request_Disk = 1", "the plan sets request_disk itself");
        wrong("queue", "not of the form NAME = VALUE");
        wrong("two words = 1", "not of the form NAME = VALUE");
        wrong("ü = 1", "not of the form NAME = VALUE");
    }

    #[test]
    fn every_command_of_the_plan_says_what_to_use_instead() {
        for (name, instead) in OURS {
            let error = SubmitLine { name, value: "1" }.requirement().expect_err(name);
            assert_eq!(error, SubmitLineError::Ours { name, instead });
            assert!(!instead.is_empty(), "{name}");
        }
        let line = SubmitLine { name: "+request_gpus", value: "1" };
        assert_eq!(line.requirement_where(&["request_gpus"]), Ok(None));
        assert!(line.requirement_where(&["universe"]).is_err());
    }

    #[test]
    fn what_sets_the_same() {
        let same = |a: &str, b: &str| SubmitLine::parse(a).expect(a).sets_the_same_as(&SubmitLine::parse(b).expect(b));
        assert!(same("+ProjectName = 1", "MY.projectname = 2"));
        assert!(same("rank = 1", "Rank = 2"));
        assert!(!same("rank = 1", "+rank = 2"), "a command and an attribute");
    }

    proptest! {
        #[test]
        fn any_text_is_judged(text in "[\\PC\\\\\"()=+ \n]{0,20}") {
            let _ = requirement(&text);
            // What is taken alone is taken among others.
            let among = format!("({text}) && (x)");
            prop_assert!(check_condition(&text).is_err() || check_condition(&among).is_ok());
        }
    }
}

//! Results that are objects, merged field by field.

use super::{BadResult, Entry, Merger, MergerState, NoAnswer, Outcome, Reducer, Value};

/// Objects, of which each named field is merged by a reducer of its own; fields that are not named are left out.
///
/// A result is a JSON object, or a text whose lines all have the form `name=value`. An object may stand for several items where
/// each field's reducer takes such a value.
///
/// Laws: those of each field's reducer. An answer that one field has not (the least of nothing) is null.
#[derive(Debug, Clone)]
pub struct Fields {
    fields: Vec<(String, Merger)>,
}

impl Fields {
    /// These fields.
    #[must_use]
    pub fn new(fields: Vec<(String, Merger)>) -> Self {
        Self { fields }
    }
}

impl Reducer for Fields {
    type State = Vec<MergerState>;

    fn is_per_item(&self) -> bool {
        self.fields.iter().any(|(_, merger)| merger.is_per_item())
    }

    fn owns(&self, states: &Vec<MergerState>) -> bool {
        self.fields.len() == states.len()
            && self.fields.iter().zip(states).all(|((_, merger), state)| merger.owns(state))
    }

    fn identity(&self) -> Vec<MergerState> {
        self.fields.iter().map(|(_, merger)| merger.identity()).collect()
    }

    fn take(&self, states: &mut Vec<MergerState>, entry: &Entry<'_>) -> Result<(), BadResult> {
        match entry.named_lines(&[]) {
            Some(outcome) => self.take_one(states, &outcome),
            None => entry.outcomes().try_for_each(|outcome| self.take_one(states, &outcome)),
        }
    }

    fn take_one(&self, states: &mut Vec<MergerState>, outcome: &Outcome<'_>) -> Result<(), BadResult> {
        let line = outcome.line;
        if !matches!(outcome.value, Value::Object(_)) {
            let due = "a JSON object, and not every line is of the form name=value";
            return Err(BadResult::not_due(line, outcome.text, due));
        }
        for ((field, merger), state) in self.fields.iter().zip(states) {
            let value = outcome.value.get(field).ok_or_else(|| BadResult::NoField { line, field: field.clone() })?;
            let text = if *value == Value::Null { b"null".to_vec() } else { value.to_text() };
            let (items, results) = (outcome.items, outcome.results);
            let inner = Outcome { items, results, line, text: &text, value: value.clone() };
            merger.take_one(state, &inner).map_err(|bad| in_field(field, bad))?;
        }
        Ok(())
    }

    fn merge(&self, left: &mut Vec<MergerState>, right: Vec<MergerState>) {
        for (((_, merger), left), right) in self.fields.iter().zip(left).zip(right) {
            merger.merge(left, right);
        }
    }

    /// An object of the fields' answers.
    fn finish(&self, states: Vec<MergerState>) -> Result<Value, NoAnswer> {
        let mut entries = Vec::new();
        for ((field, merger), state) in self.fields.iter().zip(states) {
            let value = match merger.finish(state) {
                Ok(value) => value,
                Err(NoAnswer::Nothing) => Value::Null,
                Err(NoAnswer::Misfit { item, bad }) => {
                    return Err(NoAnswer::Misfit { item, bad: in_field(field, bad) });
                }
            };
            entries.push((field.clone(), value));
        }
        Ok(Value::Object(entries))
    }
}

fn in_field(field: &str, bad: BadResult) -> BadResult {
    BadResult::Field { field: field.to_owned(), bad: Box::new(bad) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{misfit, reduced, reduced_of, refused, refused_of};
    use super::*;

    fn fields(text: &str) -> Merger {
        Merger::of(&text.parse().expect("a reduction")).expect("fields")
    }

    #[test]
    fn each_field_has_its_own_reducer() {
        let texts = [
            r#"{"hits": 3, "energy": -1.5, "other": "x"}"#,
            "hits=4\nenergy = 2\n",
            "{\"hits\": 1,\n \"energy\": 1}\n{\"energy\": 0.5, \"hits\": 0}",
        ];
        assert_eq!(
            reduced(&fields("hits=sum,energy=argmin"), &texts).as_deref(),
            Some(r#"{"hits":8,"energy":{"value":-1.5,"item":0}}"#)
        );
        assert_eq!(reduced(&fields("energy=mean"), &texts).as_deref(), Some(r#"{"energy":0.5}"#));
        assert_eq!(reduced(&fields("a=sum,b=min"), &[]).as_deref(), Some(r#"{"a":0,"b":null}"#));
        assert_eq!(
            reduced(&fields("a=sum,b=union"), &[r#"{"a":[1,2],"b":"007"}"#, r#"{"a":[1,2],"b":["y","x"]}"#]).as_deref(),
            Some(r#"{"a":[2,4],"b":["007","x","y"]}"#)
        );
    }

    #[test]
    fn an_object_may_stand_for_several_items_where_its_fields_may() {
        let one = r#"{"hits": 30, "energy": {"n": 10, "mean": 0.5, "var": 1}, "digits": {"3": 10}}"#;
        assert_eq!(
            reduced_of(&fields("hits=sum,energy=mean,digits=histogram"), 10, one),
            r#"{"hits":30,"energy":0.5,"digits":[{"key":3,"count":10}]}"#
        );
        assert_eq!(
            refused_of(&fields("hits=sum,energy=mean"), 10, r#"{"hits": 30, "energy": 0.5}"#),
            "field `energy`: it holds 1 result for 10 items, where each item's own is due"
        );
        assert_eq!(reduced_of(&fields("x=argmax"), 2, "{\"x\":1}\n{\"x\":2}\n"), r#"{"x":{"value":2,"item":1}}"#);
    }

    #[test]
    fn what_lacks_a_field_is_refused() {
        let check = |text: &str, expected: &str| assert_eq!(refused(&fields("hits=sum,energy=mean"), text), expected);
        check("{\"hits\":1,\"energy\":2}\n{\"hits\":1}", "line 2 has no field `energy`");
        check("\nhits=1\n", "line 2 has no field `energy`");
        check("{\"hits\":null,\"energy\":2}", "field `hits`: line 1 is not a number: \"null\"");
        check("hits=1\n5", "line 1 is not a JSON object, and not every line is of the form name=value: \"hits=1\"");
        check("5", "line 1 is not a JSON object, and not every line is of the form name=value: \"5\"");
        assert_eq!(
            misfit(&fields("a=sum"), &[r#"{"a":1}"#, "a=[1]"]),
            (1, "field `a`: line 1 holds an array of 1 number, and the first result is a number".to_owned())
        );
    }
}

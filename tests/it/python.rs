//! The checkpoint library for Python, as `split` gives it out.

use crate::kit::Dir;

#[test]
fn it_is_printed_and_works() {
    let dir = Dir::new();
    let printed = dir.split("python").ok();
    assert_eq!(String::from_utf8_lossy(&printed.out), split::checkpoint::PYTHON);
    dir.write("split_checkpoint.py", &printed.out);
    let program = "\
from split_checkpoint import steps
state = {'total': 0}
for i in steps('sum/1', range(1, 101), state):
    state['total'] += i
print(state['total'])
";
    dir.write("sum.py", program);
    for _ in 0..2 {
        dir.command("python3").arg("sum.py").answers("5050\n");
    }
    assert_eq!(dir.names("checkpoints"), ["sum.a.checkpoint"]);
}

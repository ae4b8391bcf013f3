//! Inputs that are named by URL.

use std::fs;
use std::io::{BufRead, BufReader};

use crate::job::{bare, sandbox};
use crate::kit::Dir;

/// Prints what is in the files `a.csv` and `b c.csv`.
const ADD: &str = "cat a.csv 'b c.csv'";

fn file_urls(dir: &Dir) -> [String; 2] {
    dir.write("far/a.csv", "1\n");
    dir.write("far/b c.csv", "20\n");
    let far = dir.shown().replace(' ', "%20");
    [format!("file://{far}/far/a.csv"), format!("file://{far}/far/b%20c.csv")]
}

#[test]
fn htcondor_is_given_urls_untouched() {
    let dir = Dir::new();
    let urls = ["osdf:///ospool/data/a.csv", "https://host:8080/b%20c.csv?version=2&x=/y", "s3://bucket/c.csv"];
    let mut plan = dir.split("plan --total 10 --chunks 2");
    for url in urls {
        plan = plan.args(["--input", url]);
    }
    let plan = plan.args(["--", "cat", "a.csv", "{first}"]).ok();
    plan.says("osdf:///ospool/data/a.csv transferred to each job as a.csv: fetched by HTCondor on the execute point");
    plan.says("transferred to each job as 'b c.csv'");
    let line = format!("transfer_input_files = ../plan.files/job/, {}\n", urls.join(", "));
    assert!(dir.read("chunk.sub").contains(&line), "{}", dir.read("chunk.sub"));
    let json = dir.read("plan.files/job/job.json");
    assert!(json.contains("\"arrives\": \"b%20c.csv\",\n      \"place\": \"b c.csv\""), "{json}");
}

#[test]
fn urls_that_cannot_be_transferred() {
    let dir = Dir::new();
    dir.write("a.csv", "");
    dir.write("b.csv/x", "");
    let mut transcripts = Vec::new();
    for words in [
        &["https://host/a,b"][..],
        &["https://host/a b"],
        &["https://host/a\nb"],
        &["https://host/$(x)"],
        &["https://host/100%"],
        &["https://host/"],
        &["https:///data.csv"],
        &["https:/host/data.csv"],
        &["file://data/a.csv"],
        &["https://host/job.json"],
        &["https://host/.job.ad"],
        &["https://host/data.csv", "--input", "s3://bucket/data.csv"],
        &["https://host/a%2Ecsv", "--input", "osdf:///a.csv"],
        &["https://host/a.csv", "--input", "a.csv"],
        &["https://host/b.csv", "--input", "b.csv"],
        &["https://host/a.csv", "--shared-filesystem"],
        &["file:///data/a.csv", "--shared-filesystem"],
    ] {
        let plan = dir.split("plan --total 10 --chunks 2 --input").args(words);
        transcripts.push(plan.args(["--", "true", "{first}"]).refuses(2).transcript());
    }
    insta::assert_snapshot!(transcripts.join("\n"));
}

#[test]
fn the_same_url_twice_is_one() {
    let dir = Dir::new();
    let url = "https://host/data.csv";
    dir.split("plan --total 10 --chunks 2").args(["--input", url, "--input", url, "--", "true", "{first}"]).ok();
    assert_eq!(dir.read("chunk.sub").matches(url).count(), 1);
}

#[test]
fn files_are_copied_on_this_machine() {
    let dir = Dir::new();
    let [a, b] = file_urls(&dir);
    let run = |folder: &str| {
        dir.split("run --total 3 --chunks 3 --dir").args([folder, "--input", &a, "--input", &b, "--", "sh", "-c", ADD])
    };
    // What arrives is not known when it is planned, so nothing is said about the code.
    run("p").answers("63\n").is_silent_on("by the code that was planned").is_silent_on("other code");
    fs::remove_file(dir.path("far/a.csv")).expect("removed");
    let gone = run("q").exits(1);
    gone.says(&format!("cannot fetch {a}")).says("No such file");
    assert!(dir.is_tidy());
}

#[test]
fn versions_of_what_was_fetched_are_told_apart() {
    let dir = Dir::new();
    let [a, b] = file_urls(&dir);
    let run = || dir.split("run --total 3 --chunks 3").args(["--input", &a, "--input", &b, "--", "sh", "-c", ADD]);
    run().answers("63\n");
    dir.split("reduce .").answers("63\n").is_silent_on("note: ");
    let first = dir.read("plan.json");
    fs::remove_file(dir.partial(1)).expect("removed");
    dir.write("far/a.csv", "2\n");
    run().exits(26).says("2 chunks computed by one version of the program, 1 by another");
    let done = dir.split("reduce --mixed .").answers("64\n");
    done.says("note: 1 record, 1 item, by one version of the code and of what URLs brought");
    assert_eq!(dir.read("plan.json"), first, "the plan knows nothing of the content");
    dir.split("run --total 3 --chunks 3")
        .args(["--input", &a, "--", "sh", "-c", ADD])
        .refuses(3)
        .says(&format!("the URL {b}: was there, now gone"));
    dir.split("run --redo .").answers("66\n").says("set aside: 2 chunks");
}

#[test]
fn a_web_server_is_asked_once_for_all_chunks() {
    let dir = Dir::new();
    let script = "import http.server\n\
                  class Handler(http.server.BaseHTTPRequestHandler):\n\
                  \x20   def do_GET(self):\n\
                  \x20       good = self.path.startswith('/a%20b.csv?key=')\n\
                  \x20       self.send_response(200 if good else 404)\n\
                  \x20       self.end_headers()\n\
                  \x20       self.wfile.write(b'7\\n')\n\
                  \x20       open('asked', 'a').write(self.path + '\\n')\n\
                  \x20   def log_message(self, *_):\n\
                  \x20       pass\n\
                  server = http.server.HTTPServer(('127.0.0.1', 0), Handler)\n\
                  print(server.server_port, flush=True)\n\
                  server.serve_forever()\n";
    dir.write("serve.py", script);
    let mut server = dir.command("python3").arg("serve.py").start();
    let mut port = String::new();
    BufReader::new(server.stdout()).read_line(&mut port).expect("a port");
    let host = format!("http://127.0.0.1:{}", port.trim());
    let url = |name: &str| format!("{host}/{name}");
    let run = |folder: &str, url: &str| {
        let run = dir.split("run --total 4 --chunks 4 --dir").args([folder, "--input", url]);
        run.env("no_proxy", "127.0.0.1").args(["--", "sh", "-c", "cat 'a b.csv'"])
    };
    run("good", &url("a%20b.csv?key=1/2")).answers("28\n");
    assert_eq!(dir.read("asked"), "/a%20b.csv?key=1/2\n");
    run("bad", &url("other/a%20b.csv")).exits(1).says("cannot fetch http://127.0.0.1").says("404");
}

#[test]
fn what_no_client_fetches_is_said() {
    let dir = Dir::new();
    let run = dir.split("run --total 1 --chunks 1 --input gopher://host/a.csv -- true {first}").exits(1);
    run.says("cannot fetch gopher://host/a.csv").says("give --input the file instead");
    let run =
        dir.split("run --dir o --total 1 --chunks 1 --input osdf:///a.csv -- true {first}").env("PATH", dir.path(""));
    run.exits(1).says("osdf:// is fetched with pelican or stashcp, and this machine has none");
}

#[test]
fn in_a_job_the_file_is_moved_to_where_the_program_starts() {
    let dir = Dir::new();
    let [a, b] = file_urls(&dir);
    dir.write("lib/x", "");
    fs::create_dir(dir.path("run")).expect("made");
    let plan = dir
        .split("plan --dir .. --total 2 --chunks 1 --input ../lib --input")
        .args([&a, "--input", &b, "--", "sh", "-c", ADD]);
    plan.within("run").ok();
    let attempt = |name: &str| {
        bare(&dir, &dir.path(name).join("condor_exec.exe")).args(["exec", "job.json", "0", "0", "2"]).within(name)
    };
    let code = |name: &str| {
        let partial = dir.names(name).into_iter().find(|name| name.ends_with(".part")).expect("a partial");
        let text = dir.read(format!("{name}/{partial}"));
        text.split("\"code\":\"").nth(1).map(|rest| rest[..32].to_owned()).expect("a code")
    };
    for (name, content) in [("one", "1\n"), ("same", "1\n"), ("other", "2\n")] {
        sandbox(&dir, name);
        dir.write(format!("{name}/a.csv"), content);
        dir.write(format!("{name}/b%20c.csv"), "20\n");
        attempt(name).ok();
        let names = dir.names(name);
        assert!(names.len() == 4 && !names.iter().any(|name| name.ends_with(".csv")), "{names:?}");
    }
    assert_eq!(code("one"), code("same"));
    assert_ne!(code("one"), code("other"));
    assert!(!dir.read("plan.json").contains(&code("one")), "the plan cannot know it");

    sandbox(&dir, "lost");
    dir.write("lost/a.csv", "1\n");
    attempt("lost").exits(74).says(&format!("{b} did not arrive"));
}

#[test]
fn a_trial_has_what_urls_bring() {
    let dir = Dir::new();
    let [a, b] = file_urls(&dir);
    let plan = dir.split("plan --total 3 --chunks 3").args(["--input", &a, "--input", &b]);
    plan.args(["--", "sh", "-c", ADD]).ok();
    dir.split("try").answers("1\n20\n").says("which sum takes as 21");
    fs::remove_file(dir.path("far/a.csv")).expect("removed");
    dir.split("try").exits(1).says(&format!("cannot fetch {a}"));
    assert!(dir.is_tidy());
}

// toml-lines FILE: the values of a TOML file, one a line, for a script: "LINE<tab>PATH<tab>KIND<tab>VALUE". The parts of a path
// have dots between them, those of an array are its indices; KIND is table, array, string, integer, boolean or other. Tab,
// newline, carriage return and backslash are \t, \n, \r and \\ in a path's parts and in values, a dot in a part is \.
// A file that is not TOML: "LINE<tab>what is wrong" on standard error, and 65.
#include <iostream>
#include <sstream>
#include <string>

#include <toml++/toml.h>

namespace {

std::string escaped(const std::string &text, bool in_path)
{
    std::string to;

    for (char c : text) {
        switch (c) {
            case '\t': to += "\\t"; break;
            case '\n': to += "\\n"; break;
            case '\r': to += "\\r"; break;
            case '\\': to += "\\\\"; break;
            case '.': to += in_path ? "\\." : "."; break;
            default: to += c;
        }
    }
    return to;
}

void print(const toml::node &node, const std::string &path);

void say(const toml::node &node, const std::string &path, const char *kind, const std::string &value)
{
    std::cout << node.source().begin.line << '\t' << path << '\t' << kind << '\t' << escaped(value, false) << '\n';
}

void print_inside(const toml::node &node, const std::string &path)
{
    const std::string head = path.empty() ? "" : path + ".";

    if (const auto *table = node.as_table()) {
        for (const auto &[key, value] : *table) {
            print(value, head + escaped(std::string(key.str()), true));
        }
    } else if (const auto *array = node.as_array()) {
        size_t index = 0;

        for (const auto &value : *array) {
            print(value, head + std::to_string(index++));
        }
    }
}

void print(const toml::node &node, const std::string &path)
{
    if (node.is_table() || node.is_array()) {
        say(node, path, node.is_table() ? "table" : "array", "");
        print_inside(node, path);
    } else if (const auto *text = node.as_string()) {
        say(node, path, "string", text->get());
    } else if (const auto *number = node.as_integer()) {
        say(node, path, "integer", std::to_string(number->get()));
    } else if (const auto *truth = node.as_boolean()) {
        say(node, path, "boolean", truth->get() ? "true" : "false");
    } else {
        say(node, path, "other", "");
    }
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::cerr << "usage: toml-lines FILE\n";
        return 64;
    }
    try {
        print_inside(toml::parse_file(argv[1]), "");
    } catch (const toml::parse_error &problem) {
        std::cerr << problem.source().begin.line << '\t' << problem.description() << '\n';
        return 65;
    }
    return std::cout.flush() ? 0 : 74;
}

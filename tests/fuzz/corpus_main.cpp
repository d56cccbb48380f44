// Stands in for libFuzzer, with any compiler: runs the target on each input of a corpus.
//
//     PROGRAM CORPUS
//
// A corpus has one input a line, in hexadecimal.  See corpus.py.
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "fuzz.hpp"

namespace {

std::vector<std::uint8_t> bytes_of(const std::string& line) {
    std::vector<std::uint8_t> bytes;
    for (std::size_t at = 0; at < line.size(); at += 2)
        bytes.push_back(static_cast<std::uint8_t>(std::stoi(line.substr(at, 2), nullptr, 16)));
    return bytes;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: " << argv[0] << " CORPUS\n";
        return 2;
    }
    std::ifstream corpus(argv[1]);
    int count = 0;
    for (std::string line; std::getline(corpus, line); ++count) {
        const auto bytes = bytes_of(line);
        LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    }
    std::cout << count << " inputs\n";
    return count > 0 ? 0 : 1;
}

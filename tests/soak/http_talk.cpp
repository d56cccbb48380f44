#include "talk.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace chaos {

site::site(const std::string& folder) {
    for (const auto& each : std::filesystem::directory_iterator(folder)) {
        if (!each.is_regular_file()) continue;
        std::ostringstream content;
        content << std::ifstream(each.path(), std::ios::binary).rdbuf();
        files.push_back({each.path().filename().string(), content.str()});
    }
    std::sort(files.begin(), files.end(),
              [](const file& a, const file& b) { return a.name < b.name; });
    if (files.empty()) throw std::runtime_error("there is no file in " + folder);
}

namespace {

class http final : public talk {
public:
    http(const site& all, manner how, dice& choose) {
        if (how == manner::garbage) say_garbage(choose);
        else if (how == manner::drown) text_ = "GET / HTTP/1.0\r\nX: " + std::string(64 << 20, 'x');
        else ask(all, how, choose);
        if (how == manner::flood) text_ += random_bytes(choose, choose.small_or_large(300'000));
        may_say_ = text_.size();
    }

    void hear(std::string_view data) override {
        if (!has_head_) {
            const auto before = head_.size();
            head_ += data;
            const auto end = head_.find("\r\n\r\n");
            if (end == head_.npos) {
                if (head_.size() > 2'000) throw mismatch("the head of the answer does not end");
                return;
            }
            data.remove_prefix(end + 4 - before);
            head_.resize(end + 2);
            has_head_ = true;
            check_head();
        }
        if (data.size() > body_size_ - heard_) throw mismatch("the body is too long");
        if (body_ && std::memcmp(data.data(), body_->data() + heard_, data.size()) != 0)
            throw mismatch("the body is not the file, after byte " + std::to_string(heard_));
        heard_ += data.size();
        if (body_ || is_head_) return;
        page_ += data;
        if (heard_ < body_size_) return;
        if (!page_.starts_with("<!DOCTYPE html>") || !page_.ends_with("</html>\n"))
            throw mismatch("the page is not whole: " + page_);
        if (page_.find(in_page_) == page_.npos)
            throw mismatch("the page has no '" + in_page_ + "': " + page_);
    }
    bool heard_all() const override {
        return (has_head_ && heard_ == body_size_) || (is_cut_off_ && said_ == 0);
    }
    bool cut_off() override {
        is_cut_off_ = !said_all();
        if (!is_cut_off_) return true;
        status_ = "400";
        in_page_ = "The request ends in the middle.";
        is_head_ = said_ >= 5 && text_.starts_with("HEAD ");
        body_ = nullptr;
        return true;
    }
    bool server_ends() const override { return true; }
    bool urgent_ends() const override { return true; }
    bool half_closes() const override { return half_closes_; }

private:
    void ask(const site& all, manner how, dice& choose) {
        const bool is_slow =
            how == manner::tiny_window || how == manner::slow_reader || how == manner::single_bytes;
        const auto kind = choose.between(0, 9);
        const std::string fields = "Host: here\r\nUser-Agent: chaos\r\n";
        if (kind == 0) {
            status_ = "404";
            text_ = "GET /none HTTP/1.1\r\n" + fields + "\r\n";
        } else if (kind == 1) {
            in_page_ = all.files[0].name;  // it is in the list of the folder
            text_ = "GET / HTTP/1.1\r\n" + fields + "\r\n";
        } else if (kind == 2) {
            const auto body =
                "text=" + std::string(choose.small_or_large(is_slow ? 200 : 20'000), 'a');
            in_page_ = "<p>" + std::to_string(body.size()) + " bytes received.";
            text_ = "POST /form HTTP/1.1\r\n" + fields +
                    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " +
                    std::to_string(body.size()) + "\r\n\r\n" + body;
        } else {
            const auto& file = choose_file(all, is_slow, choose);
            const bool is_head = kind == 3;
            static const std::string nothing;
            body_ = is_head ? &nothing : &file.content;
            length_ = file.content.size();
            text_ = (is_head ? "HEAD /" : "GET /") + file.name +
                    (choose.one_in(2) ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n") + fields + "\r\n";
        }
    }

    static const site::file& choose_file(const site& all, bool is_slow, dice& choose) {
        while (true) {
            const auto& file = all.files[choose.between(0, all.files.size() - 1)];
            if (file.content.size() > 1 << 20 && !choose.one_in(10)) continue;
            if (!is_slow || file.content.size() < 20'000) return file;
        }
    }

    /// The first byte alone makes it no request.
    void say_garbage(dice& choose) {
        text_ = "\x01" + random_bytes(choose, choose.small_or_large(100'000));
        status_ = "400";
        half_closes_ = true;
    }

    void check_head() {
        if (!head_.starts_with("HTTP/1.0 " + status_ + " "))
            throw mismatch("the answer is not " + status_ + ": " + head_);
        const auto at = head_.find("\r\nContent-Length: ");
        if (at == head_.npos) throw mismatch("the answer has no Content-Length");
        std::from_chars(head_.data() + at + 18, head_.data() + head_.size(), body_size_);
        if (is_head_) body_size_ = 0;
        if (!body_) return;
        if (body_size_ != length_) throw mismatch("the answer has another length than the file");
        body_size_ = body_->size();
    }

    std::string status_ = "200";
    const std::string* body_ = nullptr;  // null: a page that the server makes
    std::size_t length_ = 0;             // of the file
    std::string in_page_;
    bool half_closes_ = false, is_cut_off_ = false;
    bool is_head_ = false;  // the answer has no body

    std::string head_, page_;
    bool has_head_ = false;
    std::size_t body_size_ = 0, heard_ = 0;
};

}  // namespace

std::unique_ptr<talk> http_talk(const site& all, manner how, dice& choose) {
    return std::make_unique<http>(all, how, choose);
}

}  // namespace chaos

#include "offsets/client/target/internal/scram.h"

#include <gtest/gtest.h>

namespace farshore::client {
namespace {

// The example of RFC 7677, section 3.
constexpr const char* kServerFirst =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

Scram example(std::string password = "pencil") {
  return Scram(Scram::Hash::kSha256, "user", std::move(password), "rOprNGfwEbeRWgbNEkqO");
}

TEST(Scram, ExampleOfTheStandardIsReproduced) {
  Scram scram = example();
  EXPECT_EQ(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
  auto final = scram.final(kServerFirst);
  ASSERT_TRUE(final) << final.error().to_string();
  EXPECT_EQ(*final,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  EXPECT_TRUE(scram.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
}

TEST(Scram, ServerThatDoesNotKnowThePasswordIsRefused) {
  Scram scram = example("wrong");
  ASSERT_TRUE(scram.final(kServerFirst));
  EXPECT_EQ(scram.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(scram.verify("e=invalid-proof").error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(scram.verify("").error().code, ErrorCode::kPermissionDenied);
}

TEST(Scram, ServerMessagesOutsideTheStandardAreRefused) {
  for (const char* message : {"", "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "r=rOprNGfwEbeRWgbNEkqO,s=W22Z,i=4096",
                              "r=rOprNGfwEbeRWgbNEkqOx,s=?,i=4096", "r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=1",
                              "r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=99999999999", "e=unknown-user"}) {
    Scram scram = example();
    EXPECT_EQ(scram.final(message).error().code, ErrorCode::kPermissionDenied) << message;
  }
}

TEST(Scram, NamesWithSeparatorsAreEscaped) {
  Scram scram(Scram::Hash::kSha512, "a=b,c", "p", "n");
  EXPECT_EQ(scram.first(), "n,,n=a=3Db=2Cc,r=n");
}

}  // namespace
}  // namespace farshore::client
